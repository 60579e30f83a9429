package standin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// answer is what a handler wants to be sent: status, headers and a JSON body
// (nil for none).
type answer struct {
	status int
	header http.Header
	body   any
}

func ok(body any) (*answer, error) { return &answer{status: http.StatusOK, body: body}, nil }

func noContent() (*answer, error) { return &answer{status: http.StatusNoContent}, nil }

func created(body any) (*answer, error) {
	return &answer{status: http.StatusCreated, body: body}, nil
}

// Refusal is an answer that says no.
type Refusal struct {
	// Status of the answer.
	Status int
	// Type is the name of a Java exception, as the server tells it; empty: the
	// answer has no body.
	Type    string
	Message string

	header http.Header
}

// Error gives type and message.
func (r *Refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Type, r.Message) }

func refuse(status int, kind, format string, args ...any) error {
	return &Refusal{Status: status, Type: kind, Message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "IllegalArgumentException", format, args...)
}

// malformed is what JSON that cannot be read gets, unknown words of a commit too.
func malformed() error {
	return refuse(http.StatusBadRequest, "WebApplicationException", "HTTP 400 Bad Request")
}

// misshapen is what JSON of another shape gets: a status and no body.
func misshapen() error { return &Refusal{Status: http.StatusBadRequest} }

type errorBody struct {
	Error errorFields `json:"error"`
}

type errorFields struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    int    `json:"code"`
}

// write sends an answer or an error. Answers to HEAD have no body.
func write(w http.ResponseWriter, r *http.Request, a *answer, err error) {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
	case err != nil:
		refusal = &Refusal{Status: http.StatusInternalServerError, Type: "RuntimeException", Message: err.Error()}
	default:
		writeAnswer(w, r, a)
		return
	}
	for key, values := range refusal.header {
		w.Header()[key] = values
	}
	if refusal.Type == "" {
		w.WriteHeader(refusal.Status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(errorBody{errorFields{refusal.Message, refusal.Type, refusal.Status}})
	}
}

func writeAnswer(w http.ResponseWriter, r *http.Request, a *answer) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}
