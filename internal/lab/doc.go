// Package lab builds small networks of real machines for tests: network
// namespaces with real sshd, nft and the kernel's own packet filter, joined
// by virtual cables.
//
// A test that uses it is in a file that only Linux builds (a name that ends
// in _linux_test.go), and its package has one TestMain:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
//	func TestForward(t *testing.T) {
//		nat := lab.NewNAT(t)
//		nat.Seedbox.Listen("tcp", 6881)
//		nat.Gateway.Sh(`nft add rule …`)
//		answer, err := nat.Client.Probe("tcp", lab.GatewayWAN+":6881", lab.Patient)
//		if err != nil {
//			t.Fatal(err)
//		}
//		if answer.Peer.Addr().String() != lab.ClientWAN {
//			t.Errorf("the client's address came in as %s", answer.Peer)
//		}
//	}
//
// [NewNAT] is the usual home network; [New] gives an empty lab to which hosts
// and networks are added one by one. [Need] skips the test where the lab can't
// run, or fails it if BTPLAN_LAB=required.
//
// # What a host is
//
// A [Host] is a process of its own, its holder, in namespaces of its own:
// network, mounts, processes, host name and IPC. Its /etc and /var begin as
// what this computer has and take changes for themselves, its /run and /root
// begin empty. The rest of the root file system is this computer's and can only be
// read. The temporary directory is common to all hosts and the test, unless
// TMPDIR is below one of these four. Programs of a host see neither the
// processes of another nor any systemd.
//
// Networks are bridges in one more namespace. Nothing of the lab is in the
// root namespaces and nothing has a name outside the lab, so that any number
// of labs run side by side.
//
// [Host.Restart] is a reboot. What a host serves and how it is plugged in lasts
// over it, and otherwise what is in /etc, /var and /root.
//
// # What can be made to happen
//
// A host can be one such as OpenWrt ([Host.ServeDropbear]), run firewalld
// ([Host.ServeFirewalld]), ufw ([Host.ServeUFW]) or miniupnpd ([Host.ServeUPnP]), or have what asks systemd answered by stand-ins
// ([Host.ServeSystemd]). Its cables can be cut ([Host.Cut]), also at the moment
// of a change to its rules or files ([NAT.CutSSH], [Host.SawRules],
// [Host.SawFile]), and its processes stopped ([Host.Pause]). New connections
// ([Host.Load]) and lasting ones ([Host.Hold]) tell what that did to others.
//
// # How it goes away
//
// When the test ends, failed or panicked, the lab is taken down. When the test
// process is killed, each holder reads the end of a pipe that only the test
// process held open, and ends. With it the kernel kills all processes of its
// process namespace, and with the last of them the other namespaces, their
// mounts and cables go. Only what [Build] compiled, a file in the temporary
// directory, then stays.
//
// All methods that end the test on an error may only be called by the
// goroutine of the test that the lab was made for.
package lab
