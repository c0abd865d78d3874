package igdtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// controlPath is where the service takes its calls.
const controlPath = "/igd/control/wan"

// ServeHTTP answers as the router's web server does.
func (r *Router) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch {
	case !isAddress(request.Host):
		http.NotFound(w, request)
	case request.Method == http.MethodGet && request.URL.Path == DescriptionPath:
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, r.description()) // who hangs up gets nothing
	case request.Method == http.MethodPost && request.URL.Path == controlPath:
		r.serveAction(w, request)
	default:
		http.NotFound(w, request)
	}
}

// ServiceType is the URN of the router's service.
func (r *Router) ServiceType() string {
	return fmt.Sprintf("urn:schemas-upnp-org:service:WANIPConnection:%d", r.Version)
}

// description is the router's, in the form of those that real ones give.
func (r *Router) description() string {
	const text = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:%[1]d</deviceType>
<friendlyName>%[2]s</friendlyName>
<manufacturer>%[3]s</manufacturer>
<manufacturerURL>http://www.example.com/</manufacturerURL>
<modelDescription>Residential gateway</modelDescription>
<modelName>%[2]s</modelName>
<modelNumber>3.1.4</modelNumber>
<serialNumber>00000000</serialNumber>
<UDN>%[4]s</UDN>
<serviceList><service>
<serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<serviceId>urn:upnp-org:serviceId:L3Forwarding1</serviceId>
<SCPDURL>/igd/l3f.xml</SCPDURL><controlURL>/igd/control/l3f</controlURL><eventSubURL>/igd/event/l3f</eventSubURL>
</service></serviceList>
<deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:%[1]d</deviceType>
<friendlyName>WANDevice</friendlyName><manufacturer>%[3]s</manufacturer><modelName>WANDevice</modelName>
<UDN>%[4]s-wan</UDN>
<deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:%[1]d</deviceType>
<friendlyName>WANConnectionDevice</friendlyName><manufacturer>%[3]s</manufacturer><modelName>WANConnectionDevice</modelName>
<UDN>%[4]s-con</UDN>
<serviceList><service>
<serviceType>%[5]s</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/igd/wan.xml</SCPDURL><controlURL>%[6]s</controlURL><eventSubURL>/igd/event/wan</eventSubURL>
</service></serviceList>
</device></deviceList>
</device></deviceList>
<presentationURL>/</presentationURL>
</device>
</root>
`
	return fmt.Sprintf(text, r.Version, escape(r.Model), escape(r.Maker), escape(r.UDN), r.ServiceType(), controlPath)
}

// value is an argument of a call, or of its answer.
type value struct{ name, text string }

// envelope is a SOAP message, as far as its call goes.
type envelope struct {
	Body struct {
		Action struct {
			XMLName   xml.Name
			Arguments []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:",any"`
	} `xml:"Body"`
}

// serveAction reads a call of SOAP, and answers it.
func (r *Router) serveAction(w http.ResponseWriter, request *http.Request) {
	var call envelope
	if err := xml.NewDecoder(io.LimitReader(request.Body, 1<<20)).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := call.Body.Action.XMLName.Local
	if want := `"` + r.ServiceType() + "#" + action + `"`; request.Header.Get("SOAPAction") != want {
		writeFault(w, 401)
		return
	}
	args := map[string]string{}
	for _, a := range call.Body.Action.Arguments {
		args[a.XMLName.Local] = a.Text
	}
	r.mu.Lock()
	r.calls = append(r.calls, action)
	onCall := r.OnCall
	r.mu.Unlock()
	if onCall != nil {
		if code := onCall(r, action); code != 0 {
			writeFault(w, code)
			return
		}
	}
	results, code := r.act(action, args)
	if code != 0 {
		writeFault(w, code)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:%sResponse xmlns:u="%s">`, action, r.ServiceType())
	for _, v := range results {
		fmt.Fprintf(&b, "<%s>%s</%[1]s>", v.name, escape(v.text))
	}
	fmt.Fprintf(&b, "</u:%sResponse></s:Body></s:Envelope>\n", action)
	w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
	_, _ = io.WriteString(w, b.String()) // who hangs up gets nothing
}

// writeFault answers a call with a fault.
func writeFault(w http.ResponseWriter, code int) {
	if code == Hangup {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", `text/xml; charset="utf-8"`)
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>%s</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>
`, code, faultNames[code])
}

// faultNames are as in WANIPConnection:1 and :2, or near enough.
var faultNames = map[int]string{
	401: "Invalid Action",
	402: "Invalid Args",
	501: "Action Failed",
	606: "Action not authorized",
	713: "SpecifiedArrayIndexInvalid",
	714: "NoSuchEntryInArray",
	718: "ConflictInMappingEntry",
	724: "SamePortValuesRequired",
	725: "OnlyPermanentLeasesSupported",
	728: "NoPortMapsAvailable",
	730: "PortMappingNotFound",
}

// escape escapes what would be markup. Control characters, which XML doesn't
// have, go out as they are: so do those of real routers.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
