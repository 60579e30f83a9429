package standin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// compare gives what differs between a recorded answer and ours: status, the
// headers that matter, and the shape of the body, with the type of an error.
func compare(e exchange, status int, header http.Header, body any) []string {
	var found []string
	if status != e.Response.Status {
		found = append(found, fmt.Sprintf("status %d, recorded %d (%v)", status, e.Response.Status, body))
	}
	for _, name := range []string{"content-type", "etag", "www-authenticate", "retry-after"} {
		got, want := header.Get(name), e.Response.Headers[name]
		if name == "etag" { // the value is made up
			got, want = fmt.Sprint(got != ""), fmt.Sprint(want != "")
		}
		if got != want {
			found = append(found, fmt.Sprintf("header %s is %q, recorded %q", name, got, want))
		}
	}
	return append(found, shape("", e.Response.Body, body)...)
}

// anyKeys are objects whose names are data, not shape.
var anyKeys = []string{"properties", "summary", "defaults"}

func shape(at string, recorded, ours any) []string {
	name := at[strings.LastIndex(at, ".")+1:]
	switch r := recorded.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, recorded an object", at, ours)}
		}
		if slices.Contains(anyKeys, name) {
			return nil
		}
		return objects(at, r, o)
	case []any:
		o, ok := ours.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, recorded a list", at, ours)}
		}
		if len(r) == 0 { // masked, or empty
			return nil
		}
		if len(r) != len(o) {
			return []string{fmt.Sprintf("%s has %d members, recorded %d", at, len(o), len(r))}
		}
		if name == "applicable-policies" { // a set
			slices.SortFunc(r, byType)
			slices.SortFunc(o, byType)
		}
		var found []string
		for i := range r {
			found = append(found, shape(at+"[]", r[i], o[i])...)
		}
		return found
	default:
		return scalars(at, name, recorded, ours)
	}
}

func byType(a, b any) int {
	kind := func(v any) string { return fmt.Sprint(v.(map[string]any)["policy-type"]) }
	return strings.Compare(kind(a), kind(b))
}

func objects(at string, r, o map[string]any) []string {
	var found []string
	for name := range r {
		if _, ok := o[name]; !ok {
			found = append(found, fmt.Sprintf("%s.%s is missing", at, name))
			continue
		}
		found = append(found, shape(at+"."+name, r[name], o[name])...)
	}
	for name := range o {
		if _, ok := r[name]; !ok {
			found = append(found, fmt.Sprintf("%s.%s was not recorded", at, name))
		}
	}
	return found
}

func scalars(at, name string, recorded, ours any) []string {
	if (recorded == nil) != (ours == nil) {
		return []string{fmt.Sprintf("%s is %v, recorded %v", at, ours, recorded)}
	}
	switch ours.(type) {
	case map[string]any, []any:
		return []string{fmt.Sprintf("%s is %v, recorded a value", at, ours)}
	}
	text, ok := recorded.(string)
	if _, isText := ours.(string); ok != isText {
		return []string{fmt.Sprintf("%s is %v, recorded another type", at, ours)}
	}
	if (name == "type" || name == "policy-type") && text != "" && text != ours {
		return []string{fmt.Sprintf("%s is %v, recorded %v", at, ours, recorded)}
	}
	return nil
}
