package queue

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// apiPrefix begins the subjects of the JetStream API, unless the connection has
// another prefix configured.
const apiPrefix = "$JS.API."

// getLast is what a read of the newest message of a subject publishes to, getAt
// a read by sequence.
func getLast(stream, subject string) string {
	return apiPrefix + "DIRECT.GET." + stream + "." + subject
}
func getAt(stream string) string { return apiPrefix + "DIRECT.GET." + stream }

// apiPrefixOf is the prefix that a connection has configured.
func apiPrefixOf(js jetstream.JetStream) string {
	options := js.Options()
	switch {
	case options.Domain != "":
		return "$JS." + options.Domain + ".API."
	case options.APIPrefix != "":
		return strings.TrimSuffix(options.APIPrefix, ".") + "."
	}
	return apiPrefix
}

// violation is how the server words a refusal.
var violation = regexp.MustCompile(`(?i)(publish|subscription) to "([^"]+)"`)

// denied looks for the server's answer to a forbidden publish: it arrives beside
// the request, which then times out. The connection keeps its last error for
// ever, so only one about this very subject counts, or about the subscription to
// replies, without which there are no answers at all. It returns what to do.
func denied(nc *nats.Conn, subject string) (advice string, isDenied bool) {
	last := nc.LastError()
	if last == nil || !errors.Is(last, nats.ErrPermissionViolation) {
		return "", false
	}
	found := violation.FindStringSubmatch(last.Error())
	if found == nil {
		return "", false
	}
	refused := found[2]
	if strings.EqualFold(found[1], "publish") {
		return fmt.Sprintf("allow this user to publish to %q", grantable(refused)), isSubject(refused, subject)
	}
	inbox := cmp.Or(nc.Opts.InboxPrefix, strings.TrimSuffix(nats.InboxPrefix, "."))
	return fmt.Sprintf("it lets this user receive no replies; allow this user to subscribe to %q, or set nats.inbox_prefix", inbox+".>"),
		strings.HasPrefix(refused, inbox+".")
}

// isSubject reports whether a refused subject is the one that was published to,
// which may have another prefix of the API, and is another one for a stream that
// does not allow direct reads.
func isSubject(refused, subject string) bool {
	if refused == subject {
		return true
	}
	request, isAPI := strings.CutPrefix(subject, apiPrefix)
	if !isAPI {
		return false
	}
	if read, isRead := strings.CutPrefix(request, "DIRECT.GET."); isRead {
		stream, _, _ := strings.Cut(read, ".")
		if strings.HasSuffix(refused, ".STREAM.MSG.GET."+stream) {
			return true
		}
	}
	return strings.HasSuffix(refused, "."+request)
}

// patterns tell what to grant for a subject that is only one of many.
var patterns = []struct {
	subjects *regexp.Regexp
	grant    string
}{
	{regexp.MustCompile(`^(.+\.CONSUMER\.(?:INFO|PAUSE|MSG\.NEXT)\.[^.]+)\..+$`), "${1}.*"},
	{regexp.MustCompile(`^(.+\.CONSUMER\.CREATE\.[^.]+)\..+$`), "${1}.>"},
	{regexp.MustCompile(`^(.+\.DIRECT\.GET\.[^.]+)\..+$`), "${1}.>"},
	{regexp.MustCompile(`^(\$KV\.[^.]+)\..+$`), "${1}.>"},
	{regexp.MustCompile(`^(results|dead|jobs\.[^.]+)\..+$`), "${1}.>"},
}

// grantable is the pattern that an operator should allow for a subject.
func grantable(subject string) string {
	for _, p := range patterns {
		if p.subjects.MatchString(subject) {
			return p.subjects.ReplaceAllString(subject, p.grant)
		}
	}
	return subject
}
