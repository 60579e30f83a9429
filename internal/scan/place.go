package scan

import "deckhand/jobs"

// place names a namespace for people.
func place(namespace []string) string {
	if len(namespace) == 0 {
		return "the topmost namespaces"
	}
	return jobs.FormatTable(namespace[:len(namespace)-1], namespace[len(namespace)-1])
}
