//go:build unix

package hostfake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// What this file plays: windows.ps1, statement by statement, and what the
// cmdlets that it calls do. Who changes the script has to see to it that the
// two still agree, and note its hash here.
const windowsScriptHash = "9e2c2052bca43b44ee6c41fb31bd173176b5fa344224b3764fe5aebe6587037a"

// powershell plays powershell.exe -EncodedCommand.
func powershell(m *machine, args []string) int {
	var s WindowsState
	if m.load(&s); s.NoShell {
		return unknownCommand("powershell.exe")
	}
	if len(args) != 5 || args[0] != "-NoLogo" || args[1] != "-NoProfile" || args[2] != "-NonInteractive" || args[3] != "-EncodedCommand" {
		fail(fmt.Sprintf("powershell.exe is called with %q", args))
	}
	if err := checkEncoded(args[4]); err != nil {
		fail(err.Error())
	}
	stdin, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err.Error())
	}
	for _, c := range stdin {
		if c > '~' || c < ' ' && c != '\n' {
			fail(fmt.Sprintf("the standard input has the byte %#x, which a code page may change", c))
		}
	}
	script, data, found := strings.Cut(string(stdin), "\n:data\n")
	if !found || fmt.Sprintf("%x", sha256.Sum256([]byte(script))) != windowsScriptHash {
		fail("this is not the script that is played here. Where windows.ps1 was changed, see to it that netsecurity.go does the same, and note its hash there: " + fmt.Sprintf("%x", sha256.Sum256([]byte(script))))
	}
	if err := windowsPS1(m, data); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			return int(code)
		}
		fmt.Fprintf(os.Stderr, "%s\r\n", err)
		return 1
	}
	return 0
}

// exitCode is the statement exit.
type exitCode int

func (c exitCode) Error() string { return "exit " + strconv.Itoa(int(c)) }

// complaint is what a cmdlet says when it fails, and its FullyQualifiedErrorId.
type complaint string

func (c complaint) Error() string { return string(c) }

// checkEncoded sees that -EncodedCommand is Base64 of UTF-16.
func checkEncoded(encoded string) error {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw)%2 != 0 {
		return fmt.Errorf("-EncodedCommand is not Base64 of UTF-16: %w", err)
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	if !strings.Contains(string(utf16.Decode(units)), "[ScriptBlock]::Create(") {
		return errors.New("-EncodedCommand does not run what is on the standard input")
	}
	return nil
}

// windowsEdit is what the script is told.
type windowsEdit struct {
	Expect string
	Keep   []struct{ Name, Was, Open, Sealed string }
	Add    []struct {
		Name, Display, Open, Sealed, Direction, Protocol string
		Ports, Sources                                   []string
		Program                                          string
	}
	Remove []string
}

// windowsPS1 plays the script.
func windowsPS1(m *machine, data string) error {
	m.hold()
	var s WindowsState
	m.load(&s)
	if s.NoModule {
		return exitCode(69)
	}
	var want windowsEdit
	d := json.NewDecoder(strings.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		return fmt.Errorf("ConvertFrom-Json : %w", err)
	}
	if want.Expect != "" {
		if s.digest() != want.Expect {
			return exitCode(75)
		}
		if err := s.edit(m, want); err != nil {
			return err
		}
	}
	out, err := json.Marshal(map[string]any{
		"login": os.Getenv("SSH_CONNECTION"), "digest": s.digest(), "networks": s.Networks, "profiles": s.Profiles,
		"rules": s.from("Local"), "policy": s.from("GroupPolicy", "MDM"),
	})
	if err != nil {
		return err
	}
	fmt.Print(string(out) + "\r\n")
	return nil
}

// edit plays Edit-Rule.
func (s *WindowsState) edit(m *machine, want windowsEdit) error {
	for _, k := range want.Keep {
		if err := s.describe(m, k.Name, k.Open); err != nil {
			return err
		}
	}
	for _, a := range want.Add {
		r := PortRule(a.Name, a.Display, a.Protocol, a.Ports...)
		if a.Direction == "Outbound" {
			r = OutRule(a.Name, a.Display, a.Protocol, a.Ports...)
		}
		r.Description, r.RemoteAddress = a.Open, a.Sources
		if a.Program != "" {
			r.Program = a.Program
		}
		if err := s.add(m, r); err != nil {
			return err
		}
	}
	for _, name := range want.Remove {
		if err := s.remove(m, name); err != nil {
			return err
		}
	}
	for _, k := range want.Keep {
		if err := s.describe(m, k.Name, k.Sealed); err != nil {
			return err
		}
	}
	for _, a := range want.Add {
		if err := s.describe(m, a.Name, a.Sealed); err != nil {
			return err
		}
	}
	return nil
}

// from plays Read-Rule: it gives the rules of some stores, and of those for what
// the machine sends only ours where nothing is dropped of that.
func (s *WindowsState) from(sources ...string) []Rule {
	drops := slices.ContainsFunc(s.Profiles, func(p Profile) bool { return p.Outbound == "Block" })
	list := []Rule{}
	for _, r := range s.Rules {
		if slices.Contains(sources, r.Source) && (drops || r.Direction == "Inbound" || strings.HasPrefix(r.Name, "btplan-")) {
			list = append(list, r)
		}
	}
	return list
}

func (s *WindowsState) digest() string {
	var own []Rule
	for _, r := range s.from("Local") {
		if strings.HasPrefix(r.Name, "btplan-") {
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.Marshal(own)
	if err != nil {
		fail(err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

func (s *WindowsState) index(name string) (int, error) {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return 0, complaint("No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '" + name + "'. [CmdletizationQuery_NotFound_InstanceID,Get-NetFirewallRule]")
	}
	return i, nil
}

// add plays New-NetFirewallRule.
func (s *WindowsState) add(m *machine, r Rule) error {
	if s.Limited {
		return complaint("Zugriff verweigert [Windows System Error 5,New-NetFirewallRule]")
	}
	if _, err := s.index(r.Name); err == nil {
		return complaint("Cannot create a file when that file already exists. [Windows System Error 183,New-NetFirewallRule]")
	}
	ports := r.LocalPort
	if r.Direction == "Outbound" {
		ports = r.RemotePort
	}
	for _, p := range ports {
		if !isPorts(p) {
			return complaint("The port is invalid. [HRESULT 0x80070057,New-NetFirewallRule]")
		}
	}
	var err error
	if r.RemoteAddress, err = storedAddresses(r.RemoteAddress); err != nil {
		return err
	}
	s.Rules = append(s.Rules, r)
	m.store(s)
	return nil
}

// remove plays Remove-NetFirewallRule.
func (s *WindowsState) remove(m *machine, name string) error {
	i, err := s.index(name)
	if err != nil {
		return err
	}
	s.Rules = slices.Delete(s.Rules, i, i+1)
	m.store(s)
	return nil
}

// describe plays Set-NetFirewallRule -Description.
func (s *WindowsState) describe(m *machine, name, description string) error {
	i, err := s.index(name)
	if err != nil {
		return err
	}
	s.Rules[i].Description = description
	m.store(s)
	return nil
}

// isPorts says whether a text is a port or a range of ports.
func isPorts(text string) bool {
	first, last, isRange := strings.Cut(text, "-")
	a, errA := strconv.ParseUint(first, 10, 16)
	if !isRange {
		return errA == nil
	}
	b, errB := strconv.ParseUint(last, 10, 16)
	return errA == nil && errB == nil && a <= b
}

// storedAddresses gives addresses as they are listed: subnets of IPv4 with
// their masks, single addresses bare.
func storedAddresses(list []string) ([]string, error) {
	var out []string
	for _, text := range list {
		if text == "Any" || text == "LocalSubnet" {
			out = append(out, text)
			continue
		}
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil || p.Bits() == 0:
			return nil, complaint("The address is invalid. Addresses may be specified as IP addresses, ranges, or subnets. [HRESULT 0x80070057,New-NetFirewallRule]")
		case p.IsSingleIP():
			out = append(out, p.Addr().String())
		case p.Addr().Is4():
			mask := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), p.Bits()).Masked().Addr()
			out = append(out, p.Addr().String()+"/"+mask.String())
		default:
			out = append(out, p.String())
		}
	}
	return out, nil
}
