package polaris

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"deckhand/internal/secret"
)

// refusal is an error in the protocol's form.
type refusal struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    int    `json:"code"`
}

// readRefusal gives the zero refusal for a body in another form.
func readRefusal(body []byte) refusal {
	var shaped struct {
		Error json.RawMessage `json:"error"`
	}
	var found refusal
	if json.Unmarshal(body, &shaped) != nil || json.Unmarshal(shaped.Error, &found) != nil {
		return refusal{}
	}
	return found
}

// damagedMetadata is Polaris' type for a metadata file that it cannot read, which is
// a 503 although the server is well.
const damagedMetadata = "RuntimeIOException"

// statusTokenExpired is the Iceberg REST protocol's own.
const statusTokenExpired = 419

// hintToken: Polaris gives a token for roles that the principal does not have, and
// then refuses it without a word.
const hintToken = "the server does not take the token that was given for the credential: rest.scope may name a role that the principal does not have, " +
	"then write PRINCIPAL_ROLE:ALL; else check rest.token_uri, and that the principal was not removed"

const hintNoCatalog = "this is no answer of an Iceberg REST catalog; check rest.uri, which for Polaris ends in /api/catalog"

const hintMissingFile = "the table's metadata file is missing, so that no engine can read the table; register an earlier one or drop the table"

// refused makes the error of an answer.
func (r *request) refused(a *answer) *Error {
	said := readRefusal(a.body)
	e := r.fail(a.status, ErrRejected, "", nil)
	e.Type, e.Message, e.retryAfter, e.catalog = said.Type, said.Message, retryAfter(a.header), r.catalog
	switch {
	case a.status == http.StatusUnauthorized, a.status == statusTokenExpired:
		e.Reason, e.Hint = ErrUnauthorized, hintToken
	case said.Type == "MissingOrInvalidRealm":
		e.Reason, e.Hint = ErrNoRealm, "write the catalog's realm as the server has it"
	case a.status == http.StatusForbidden:
		e.forbidden()
	case a.status == http.StatusNotFound:
		e.notFound(r.op)
	case a.status < 400: // a proxy's, which asks for a login, say; nothing was carried out
		e.Reason, e.Hint = ErrUnavailable, hintNoCatalog
	case a.status == http.StatusBadRequest && said.Type == "NotFoundException":
		e.Hint = hintMissingFile
	case r.op == opCommit:
		e.commitRefused()
	case a.status == http.StatusTooManyRequests:
		e.Reason, e.Hint = ErrUnavailable, "the server wants fewer requests; lower rest.requests_per_second"
	case r.op == opLoad && a.status >= 500 && said.Type == damagedMetadata:
		e.Reason, e.Hint = ErrDamaged, "it is damaged, or the store is away; register an earlier one if it is damaged"
	case a.status >= 500, a.status == http.StatusRequestTimeout:
		e.Reason = ErrUnavailable
	case said.Type == "" && a.status != http.StatusBadRequest:
		e.Hint = hintNoCatalog
	}
	return e
}

// notFound tells what is gone. A 404 in another form is not the catalog's word.
func (e *Error) notFound(op string) {
	switch e.Type {
	case "NoSuchTableException", "NoSuchViewException", "NoSuchGenericTableException":
		e.Reason = ErrNotFound
	case "NoSuchNamespaceException":
		e.Reason = ErrNoNamespace
	case "NoSuchWarehouseException":
		e.Reason = ErrNoCatalog
	case "NotFoundException":
		// Polaris has one type for a warehouse and for a path that it does not know.
		unknownPath := strings.Contains(e.Message, "matching target resource")
		if op == opConfig && !unknownPath {
			e.Reason = ErrNoCatalog
			return
		}
		if !unknownPath && slices.Contains(loads, op) { // where files are local; elsewhere it is a 400
			e.Hint = hintMissingFile
			return
		}
		e.Hint = "the server has no such address; check rest.uri, which for Polaris ends in /api/catalog"
	case "":
		e.Reason, e.Hint = ErrUnavailable, "this 404 is not a catalog's; check rest.uri, which for Polaris ends in /api/catalog, and the proxies before it"
	}
}

// conflicts are errors of a commit that another one caused: Polaris up to 1.7
// answers some with 400.
var conflicts = []string{"CommitFailedException", "CommitConflictException", "RetryableValidationException"}

// commitRefused tells a commit that did not take place from one that may have.
func (e *Error) commitRefused() {
	switch {
	case e.Type == "CommitStateUnknownException", e.Status >= 500, e.Status == http.StatusRequestTimeout:
		e.Reason = ErrStateUnknown
	case e.Status == http.StatusTooManyRequests:
		e.Reason = ErrUnavailable
	case e.Status == http.StatusConflict, slices.Contains(conflicts, e.Type),
		e.Type == "ValidationException" && strings.Contains(e.Message, "sequence number"):
		e.Reason = ErrConflict
	}
}

// hide takes a secret, in either spelling, out of what the server says: it may
// repeat what it was sent.
func (e *Error) hide(text string) {
	if text == "" {
		return
	}
	for _, hidden := range []string{text, url.QueryEscape(text)} {
		e.Message = strings.ReplaceAll(e.Message, hidden, secret.Redacted)
		e.Type = strings.ReplaceAll(e.Type, hidden, secret.Redacted)
	}
}
