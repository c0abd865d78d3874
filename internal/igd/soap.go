package igd

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/btplan/btplan/internal/plain"
)

// maxText is how many bytes of a text of a router are kept.
const maxText = 1024

// ErrAnswer is in the error of a call to which a router answers, but not as UPnP
// would have it: with a web page, for example.
var ErrAnswer = errors.New("not an answer of UPnP")

// argument is a named value of an action.
type argument struct{ name, value string }

// envelope is the SOAP message that asks the service urn for an action. The
// order of the arguments matters to some routers: it is the template's.
func envelope(urn, action string, args []argument) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:` + action + ` xmlns:u="`)
	escape(&b, urn)
	b.WriteString(`">`)
	for _, a := range args {
		b.WriteString("<" + a.name + ">")
		escape(&b, a.value)
		b.WriteString("</" + a.name + ">")
	}
	b.WriteString("</u:" + action + "></s:Body></s:Envelope>\r\n")
	return b.Bytes()
}

func escape(b *bytes.Buffer, s string) {
	// A bytes.Buffer takes whatever is written to it.
	_ = xml.EscapeText(b, []byte(s))
}

// call asks the connection's service for an action and gives the element of
// its answer: what it holds are the results. A refusal is a *Fault.
func (c *Connection) call(ctx context.Context, action string, args ...argument) (*element, error) {
	client := c.Router.client
	if client.onCall != nil {
		client.onCall(action)
	}
	header := http.Header{
		"Content-Type": {`text/xml; charset="utf-8"`},
		// In capitals: some routers know it in no other spelling.
		"SOAPACTION": {`"` + c.Service.Type + "#" + action + `"`},
	}
	answer, err := client.do(ctx, c.Service.control, header, envelope(c.Service.Type, action, args))
	if err != nil {
		return nil, fmt.Errorf("the router at %s, asked for %s: %w", client.addr, action, err)
	}
	result, err := parseAnswer(action, answer)
	if err != nil {
		return nil, fmt.Errorf("the router at %s: %w", client.addr, err)
	}
	return result, nil
}

// parseAnswer gives the first element of the SOAP body of an answer. The HTTP
// status counts for little: there are faults with 200.
func parseAnswer(action string, a answer) (*element, error) {
	document, err := parseElement(a.body)
	if err != nil || document.find("Body") == nil {
		return nil, noAnswer(action, a, err)
	}
	body := document.find("Body")
	if fault := body.find("Fault"); fault != nil {
		return nil, parseFault(action, fault)
	}
	if a.code != http.StatusOK || len(body.kids) == 0 {
		return nil, noAnswer(action, a, nil)
	}
	return body.kids[0], nil
}

// parseFault reads a SOAP fault. What UPnP has to say is in its detail; without
// it there is only SOAP's own text.
func parseFault(action string, fault *element) *Fault {
	f := &Fault{Action: action}
	if code := fault.find("errorCode"); code != nil {
		f.Code, _ = strconv.Atoi(code.text) // what is no number is as good as none
	}
	for _, name := range []string{"errorDescription", "faultstring"} {
		if text := fault.find(name); text != nil && f.Description == "" {
			f.Description = cut(text.text)
		}
	}
	return f
}

// noAnswer says what came in place of a SOAP answer. cause is what is wrong
// with its XML; nil: nothing, it is just no answer.
func noAnswer(action string, a answer, cause error) error {
	what := "something else"
	start := strings.ToLower(string(bytes.TrimSpace(a.body[:min(len(a.body), 512)])))
	switch {
	case start == "":
		what = "nothing"
	case strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html"):
		what = "a web page"
	case cause != nil:
		what = "broken XML (" + cause.Error() + ")"
	}
	return fmt.Errorf("it answers %s with %s, and the HTTP status %s: %w", action, what, plain.Line(cut(a.status)), ErrAnswer)
}

// cut is the beginning of a router's text, at most maxText bytes of it.
func cut(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
