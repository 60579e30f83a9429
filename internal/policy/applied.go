package policy

import (
	"time"

	"deckhand/internal/polaris"
)

// Timing says when a job may run.
type Timing struct {
	// Schedule and Window are nil when there is none.
	Schedule *Schedule `key:"schedule"`
	Window   *Window   `key:"window"`
	// MinInterval between two jobs that succeeded; 0: the cool-down of [Rules].
	MinInterval time.Duration `key:"min-interval"`
}

// Origin says where a setting comes from.
type Origin string

// Origins of settings. A table property is named: "table property x.y".
const (
	FromPolicy  Origin = "policy"
	FromDefault Origin = "default"
)

// Setting is one setting that is in force.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin Origin `json:"origin"`
}

// Applied is what the policies say about one kind of maintenance on one table.
type Applied struct {
	Kind Kind
	// Policy that applies; nil: none.
	Policy *polaris.Policy
	// Enabled: the policy asks for the maintenance, nothing is wrong with it, and
	// there is something to do.
	Enabled bool
	// Settings of the policy alone, what a job gets as its params; nil unless
	// Enabled.
	Settings Settings
	// Effective settings, after table properties and defaults; nil likewise.
	Effective Settings
	// Values of the effective settings, as text, with their origins. They are there
	// for people also when there is nothing to do.
	Values []Setting
	Timing Timing
	DryRun bool
	// Notes for people on what was skipped.
	Notes []string
	// Problem stops the policy for this table; it names the policy and the key.
	Problem error
	// Nothing says why there is nothing to do though nothing is wrong; else empty.
	Nothing string
}
