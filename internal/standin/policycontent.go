package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// PolicyTypes are the only types there are.
var PolicyTypes = []string{
	"system.data-compaction", "system.metadata-compaction", "system.orphan-file-removal", "system.snapshot-expiry",
}

func invalidPolicy(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "InvalidPolicyException", format, args...)
}

// checkContent lets through what Polaris lets through: more than the published
// schema allows. enable may be "true" or 1, an age 3.5 or "7", values null, and a
// key may come twice.
func checkContent(policyType, content string) error {
	if content == "" {
		return invalidPolicy("Policy is empty")
	}
	fields, err := readFields(content)
	if err != nil {
		return invalidPolicy("Invalid policy")
	}
	allowed := []string{"version", "enable", "config"}
	if policyType == "system.orphan-file-removal" {
		allowed = append(allowed, "max_orphan_file_age_in_days", "locations")
	}
	for name := range fields {
		if !slices.Contains(allowed, name) {
			return invalidPolicy("Invalid policy")
		}
	}
	if !isBoolean(fields["enable"]) || !isFlat(fields["config"]) || !isList(fields["locations"]) {
		return invalidPolicy("Invalid policy")
	}
	if err := checkAge(fields["max_orphan_file_age_in_days"]); err != nil {
		return err
	}
	var version string
	if raw := fields["version"]; raw != nil && (json.Unmarshal(raw, &version) != nil || version != "2025-02-03") {
		return invalidPolicy("Invalid policy version: %s", version)
	}
	return nil
}

// readFields reads one JSON object and nothing after it; of a key that comes
// twice the last counts.
func readFields(content string) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(strings.NewReader(content))
	var fields map[string]json.RawMessage
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the object")
	}
	if fields == nil {
		return nil, errors.New("null")
	}
	return fields, nil
}

// isBoolean takes what Jackson coerces: true, "true", 1.
func isBoolean(raw json.RawMessage) bool {
	var value any
	if raw == nil || json.Unmarshal(raw, &value) != nil {
		return false
	}
	switch v := value.(type) {
	case bool:
		return true
	case float64:
		return v == math.Trunc(v)
	case string:
		return slices.Contains([]string{"true", "false", "True", "False", "TRUE", "FALSE"}, v)
	}
	return false
}

// isFlat is true for an object without objects and lists in it.
func isFlat(raw json.RawMessage) bool {
	if raw == nil {
		return true
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		return false
	}
	for _, value := range values {
		if v := bytes.TrimSpace(value); len(v) > 0 && (v[0] == '{' || v[0] == '[') {
			return false
		}
	}
	return true
}

func isList(raw json.RawMessage) bool {
	var values []string
	return raw == nil || json.Unmarshal(raw, &values) == nil
}

// checkAge takes a number, also with a fraction and as a string, that is an int of
// Java and not below 0.
func checkAge(raw json.RawMessage) error {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	switch {
	case err != nil || n > math.MaxInt32:
		return invalidPolicy("Invalid policy")
	case n < 0:
		return invalidPolicy("Invalid max_orphan_file_age_in_days: %s. It must be greater than or equal to 0", raw)
	}
	return nil
}
