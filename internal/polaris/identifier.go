package polaris

import (
	"fmt"
	"slices"
	"strings"

	"deckhand/jobs"
)

// Identifier names a table, a view or a generic table within the catalog. The
// names are raw.
type Identifier struct {
	// Namespace by levels; at least one.
	Namespace []string
	Name      string
}

// String is the name as people type it, see [jobs.FormatTable].
func (i Identifier) String() string { return jobs.FormatTable(i.Namespace, i.Name) }

// check refuses names that would lead a request to something else.
func (i Identifier) check(separator string) error {
	if len(i.Namespace) == 0 {
		return fmt.Errorf("%w: the table %q has no namespace", ErrRejected, i.Name)
	}
	if err := checkNames(i.Namespace, separator); err != nil {
		return err
	}
	return checkNames([]string{i.Name}, "")
}

// checkNames refuses empty ones and those that a server or a proxy between would
// take for a step in the path; levels also must not hold their separator.
func checkNames(names []string, separator string) error {
	for _, name := range names {
		switch {
		case name == "", name == ".", name == "..":
			return fmt.Errorf("%w: %q cannot be the name of a table or of a level of a namespace", ErrRejected, name)
		case separator != "" && strings.Contains(name, separator):
			return fmt.Errorf("%w: the level %q holds the separator of levels", ErrRejected, name)
		}
	}
	return nil
}

func (i Identifier) clone() Identifier {
	return Identifier{Namespace: slices.Clone(i.Namespace), Name: i.Name}
}
