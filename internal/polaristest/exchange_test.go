package polaristest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is a recorded request and its answer.
type exchange struct {
	Name    string `json:"name"`
	As      string `json:"as"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Query   *string           `json:"query"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"response"`
}

// recording reads a file of testdata; replace says what is called otherwise here,
// old and new in turn, in requests and answers alike.
func recording(t *testing.T, file string, replace ...string) []exchange {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, data))
	var all []exchange
	require.NoError(t, json.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(compact.String())), &all))
	return all
}

// A server makes these up: UUIDs, and times in milliseconds.
var madeUp = regexp.MustCompile(`[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b1[0-9]{12}\b`)

const uuidLength = 36

// likeness compares answers with recorded ones. UUIDs may be others, but where the
// recording repeats one, the answers must.
type likeness struct {
	now, recorded map[string]string
	// onDisk makes file:/ and file:/// alike, which a server mixes; the recording
	// is of S3.
	onDisk bool
}

func newLikeness() *likeness {
	return &likeness{now: map[string]string{}, recorded: map[string]string{}}
}

// bind says that what the recording calls recorded is called now.
func (l *likeness) bind(recorded, now string) error {
	before, known := l.now[recorded]
	other, taken := l.recorded[now]
	if known && before != now || taken && other != recorded {
		return fmt.Errorf("%s stands where %s was recorded, which was %q before", now, recorded, before)
	}
	l.now[recorded], l.recorded[now] = now, recorded
	return nil
}

// check compares status, headers and body.
func (l *likeness) check(e exchange, answer Answer) error {
	if e.Response.Status != answer.Status {
		return fmt.Errorf("status %d, want %d: %s", answer.Status, e.Response.Status, answer.Body)
	}
	if err := sameHeaders(e.Response.Headers, answer.Header); err != nil {
		return err
	}
	want, err := canonical(e.Response.Body)
	if err != nil {
		return fmt.Errorf("read recorded body: %w", err)
	}
	got, err := canonical(answer.Body)
	if err != nil {
		return fmt.Errorf("read body %q: %w", answer.Body, err)
	}
	return l.sameText(want, got)
}

func (l *likeness) sameText(recorded, now string) error {
	was, is := madeUp.FindAllString(recorded, -1), madeUp.FindAllString(now, -1)
	for i := range min(len(was), len(is)) {
		if len(was[i]) != uuidLength || len(is[i]) != uuidLength {
			continue
		}
		if err := l.bind(was[i], is[i]); err != nil {
			return err
		}
	}
	want := madeUp.ReplaceAllStringFunc(recorded, func(made string) string {
		if len(made) == uuidLength {
			return l.now[made]
		}
		return "<time>"
	})
	got := madeUp.ReplaceAllStringFunc(now, func(made string) string {
		if len(made) == uuidLength {
			return made
		}
		return "<time>"
	})
	if l.onDisk {
		want, got = strings.ReplaceAll(want, "file:///", "file:/"), strings.ReplaceAll(got, "file:///", "file:/")
	}
	if want != got {
		return fmt.Errorf("body\n%s\nwant\n%s", got, want)
	}
	return nil
}

// canonical is JSON in one spelling; nothing and null are "".
func canonical(body []byte) (string, error) {
	if len(body) == 0 || string(body) == "null" {
		return "", nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // ids do not fit a float
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	text, err := json.Marshal(value)
	return roles.ReplaceAllStringFunc(string(text), func(list string) string {
		names := strings.Split(list[1:len(list)-1], ", ")
		slices.Sort(names)
		return "[" + strings.Join(names, ", ") + "]"
	}), err
}

// The roles of a principal stand in an error in the order of their hashes.
var roles = regexp.MustCompile(`\[\w+(, \w+)*\]`)

// The recording left these out. They are compared with those of a stock server.
var unrecorded = []string{"Connection", "Content-Encoding", "Content-Length", "Date", "Transfer-Encoding"}

// Of these only the presence is compared: their values are made up.
var ownValue = []string{"Etag", "X-Request-Id"}

func sameHeaders(recorded map[string]string, now http.Header) error {
	want := http.Header{}
	for name, value := range recorded {
		want.Set(name, value)
	}
	return equalHeaders(want, now, unrecorded...)
}

// equalHeaders compares all but the left out.
func equalHeaders(want, got http.Header, leftOut ...string) error {
	texts := make([]string, 2)
	for i, headers := range []http.Header{want, got} {
		headers = headers.Clone()
		for _, name := range leftOut {
			headers.Del(name)
		}
		for _, name := range ownValue {
			if headers.Get(name) != "" {
				headers.Set(name, "<own>")
			}
		}
		texts[i] = fmt.Sprint(headers) // in order
	}
	if texts[0] != texts[1] {
		return fmt.Errorf("headers %s, want %s", texts[1], texts[0])
	}
	return nil
}

func TestALikenessToleratesOnlyWhatAServerMakesUp(t *testing.T) {
	t.Parallel()
	const a, b, c = "0584995c-1111-4111-8111-000000000001", "0584995c-1111-4111-8111-000000000002", "0584995c-1111-4111-8111-000000000003"
	e := exchange{}
	e.Response.Status = http.StatusOK
	e.Response.Headers = map[string]string{"X-Request-ID": "1", "Content-Type": "application/json"}
	e.Response.Body = json.RawMessage(`{"uuid": "` + a + `", "at": 1795360361278, "n": 10}`)
	for name, c := range map[string]struct{ body, contentType, requestID, problem string }{
		"the same":                 {`{"uuid":"` + a + `","at":1795360361278,"n":10}`, "application/json", "1", ""},
		"another UUID and time":    {`{"n":10,"at":1895360361278,"uuid":"` + b + `"}`, "application/json", "2", ""},
		"another number":           {`{"uuid":"` + b + `","at":1895360361278,"n":11}`, "application/json", "2", "want"},
		"a field more":             {`{"uuid":"` + b + `","at":1895360361278,"n":10,"m":1}`, "application/json", "2", "want"},
		"a number for the time":    {`{"uuid":"` + b + `","at":17,"n":10}`, "application/json", "2", "want"},
		"no body":                  {``, "application/json", "2", "want"},
		"no JSON":                  {`<html>`, "application/json", "2", "read body"},
		"another type":             {`{"uuid":"` + b + `","at":1895360361278,"n":10}`, "text/plain", "2", "headers"},
		"no request id":            {`{"uuid":"` + b + `","at":1895360361278,"n":10}`, "application/json", "", "headers"},
		"another UUID than before": {`{"uuid":"` + c + `","at":1895360361278,"n":10}`, "application/json", "2", ""},
	} {
		header := http.Header{"Content-Type": {c.contentType}, "Date": {"today"}}
		if c.requestID != "" {
			header.Set("X-Request-ID", c.requestID)
		}
		err := newLikeness().check(e, Answer{Status: http.StatusOK, Header: header, Body: []byte(c.body)})
		if c.problem == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.problem, name)
		}
		require.ErrorContains(t, newLikeness().check(e, Answer{Status: http.StatusAccepted, Header: header, Body: []byte(c.body)}), "status 202, want 200")
	}
	l := newLikeness()
	require.NoError(t, l.sameText(a, b))
	require.NoError(t, l.sameText(a+c, b+a))
	require.Error(t, l.sameText(a, c), "it was b before")
	require.Error(t, l.sameText(b, a), "a stands for c")
	require.Error(t, l.sameText(b, "gone"))
}
