package plan

import "encoding/json"

// The constants of the JSON form.
const (
	formatVersion      = "1.2"
	stateFormatVersion = "1.0"
	providerName       = "btplan"
)

// document is the JSON form, as Terraform's documentation describes it under
// "JSON Output Format", "Plan Representation"; the member btplan is our own.
type document struct {
	FormatVersion   string                  `json:"format_version"`
	Variables       map[string]jsonVariable `json:"variables"`
	PlannedValues   jsonValues              `json:"planned_values"`
	ResourceChanges []jsonResourceChange    `json:"resource_changes"`
	OutputChanges   map[string]jsonChange   `json:"output_changes"`
	PriorState      jsonState               `json:"prior_state"`
	Configuration   struct{}                `json:"configuration"`
	Timestamp       string                  `json:"timestamp,omitempty"`
	Applyable       bool                    `json:"applyable"`
	Complete        bool                    `json:"complete"`
	Errored         bool                    `json:"errored"`
	Btplan          jsonBtplan              `json:"btplan"`
}

type jsonBtplan struct {
	Version string         `json:"version"`
	Project string         `json:"project"`
	Destroy bool           `json:"destroy"`
	Targets []string       `json:"targets"`
	Unread  []string       `json:"unread"`
	Foreign map[string]int `json:"foreign"` // by device
	Digest  string         `json:"digest"`
}

type jsonVariable struct {
	Value     json.RawMessage `json:"value"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

type jsonState struct {
	FormatVersion string     `json:"format_version"`
	Values        jsonValues `json:"values"`
}

type jsonValues struct {
	Outputs    map[string]jsonOutput `json:"outputs,omitempty"`
	RootModule jsonModule            `json:"root_module"`
}

type jsonModule struct {
	Resources []jsonResource `json:"resources,omitempty"`
}

type jsonOutput struct {
	Sensitive bool            `json:"sensitive"`
	Type      json.RawMessage `json:"type,omitempty"`
	Value     json.RawMessage `json:"value"`
}

// jsonIdentity is what the forms of a resource have in common.
type jsonIdentity struct {
	Address      string `json:"address"`
	Mode         string `json:"mode"`
	Type         string `json:"type"`
	Name         string `json:"name"`
	Index        any    `json:"index,omitempty"` // a string or a number; absent without a key
	ProviderName string `json:"provider_name"`
}

type jsonResource struct {
	jsonIdentity
	SchemaVersion   int         `json:"schema_version"`
	Values          *jsonObject `json:"values"`
	SensitiveValues struct{}    `json:"sensitive_values"`
}

type jsonResourceChange struct {
	jsonIdentity
	Change       jsonObjectChange `json:"change"`
	ActionReason string           `json:"action_reason,omitempty"`
}

type jsonObjectChange struct {
	Actions         []string    `json:"actions"`
	Before          *jsonObject `json:"before"`
	After           *jsonObject `json:"after"`
	AfterUnknown    struct{}    `json:"after_unknown"`
	BeforeSensitive bool        `json:"before_sensitive"`
	AfterSensitive  bool        `json:"after_sensitive"`
}

type jsonChange struct {
	Actions         []string        `json:"actions"`
	Before          json.RawMessage `json:"before"`
	After           json.RawMessage `json:"after"`
	AfterUnknown    bool            `json:"after_unknown"`
	BeforeSensitive bool            `json:"before_sensitive"`
	AfterSensitive  bool            `json:"after_sensitive"`
}

// jsonObject is a resource as an object: the rules of one owner on one device.
type jsonObject struct {
	Device   string     `json:"device"`
	Owner    string     `json:"owner"`
	Forward  []jsonRule `json:"forward"`
	Allow    []jsonRule `json:"allow"`
	Outbound []jsonRule `json:"outbound"`
}

// list is where o keeps its rules of one kind.
func (o *jsonObject) list(kind Kind) *[]jsonRule {
	return [...]*[]jsonRule{&o.Forward, &o.Allow, &o.Outbound}[kind]
}

type jsonRule struct {
	Protocol string   `json:"protocol"`
	Ports    string   `json:"ports"`
	To       string   `json:"to,omitempty"` // a forward's target, as Rule.Target gives it
	Sources  []string `json:"sources"`
	// Of a rule before, why it is to be written again: someone changed it on
	// the device, or the device's settings around it have changed.
	Drift    string `json:"drift,omitempty"`
	Outdated string `json:"outdated,omitempty"`
	// Of a rule before, in how many seconds the device forgets it, and why it
	// is to be renewed before that. Terraform has no such action: its tools
	// see a no-op.
	Expires uint32 `json:"expires,omitempty"`
	Renew   string `json:"renew,omitempty"`
}
