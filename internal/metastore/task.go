package metastore

import (
	"encoding/json"
	"fmt"
	"time"
)

// Task types of Polaris.
const (
	taskCleanup  = "1"
	taskManifest = "2"
	taskFiles    = "3"
)

// Task is a row of type TASK.
type Task struct {
	Realm string
	ID    int64
	Name  string
	// Version of the row; whoever leases or changes the row raises it.
	Version int
	// Created is when the row was made, Written when it was changed last.
	Created, Written time.Time

	properties, internal map[string]string
}

// Content is what a task is about: a [*Dropped], a [*Remains], a [Foreign] or an
// [Unusable].
type Content interface{ content() }

// Foreign is a row that is none of our business, such as the clean-up of a
// namespace.
type Foreign struct {
	// What it is, in a few words.
	What string
}

// Unusable is a row of ours that cannot become a job. It stays until a person
// has done what Fix says.
type Unusable struct{ Problem, Fix string }

func (*Dropped) content() {}
func (*Remains) content() {}
func (Foreign) content()  {}
func (Unusable) content() {}

// Content reads what the row is about.
func (t *Task) Content() Content {
	data, found := t.properties["data"]
	switch kind := t.properties["taskType"]; kind {
	case taskCleanup:
		if !found {
			return Unusable{"the row names no dropped entity", "look at the row and delete it"}
		}
		return t.dropped(data)
	case taskManifest, taskFiles:
		if !found {
			return Unusable{"the row names no files", "look at the row and delete it"}
		}
		return t.remains(kind, data)
	case "":
		return Foreign{"a task without a type"}
	default:
		return Foreign{fmt.Sprintf("a task of type %q", kind)}
	}
}

// byHand is the fix for what cannot be understood.
const byHand = `queue the purge with "producer submit" and delete the row`

// stringsOf reads a JSON object's texts; values of other types are left out, and
// what is no object is empty. The column cannot be malformed JSON.
func stringsOf(column []byte) map[string]string {
	var raw map[string]any
	if json.Unmarshal(column, &raw) != nil {
		return nil
	}
	texts := make(map[string]string, len(raw))
	for key, value := range raw {
		if text, ok := value.(string); ok {
			texts[key] = text
		}
	}
	return texts
}
