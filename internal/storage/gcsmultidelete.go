package storage

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// gcsMultiDeleteLimit is how many keys one delete of the XML API takes. Source:
// "Delete multiple objects" in its reference.
const gcsMultiDeleteLimit = 1000

type (
	multiDelete struct {
		XMLName xml.Name            `xml:"Delete"`
		Quiet   bool                `xml:"Quiet"`
		Objects []multiDeleteObject `xml:"Object"`
	}
	multiDeleteObject struct {
		Key string `xml:"Key"`
	}
	multiDeleted struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []struct {
			Key string `xml:"Key"`
		} `xml:"Deleted"`
		Errors []struct {
			Key     string `xml:"Key"`
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
)

// inXML says whether XML can carry the key: see Char and the end-of-line handling in
// XML 1.0, sections 2.2 and 2.11. Keys that begin or end with a blank could, but a
// reader that trims texts would delete another object.
func inXML(key string) bool {
	if !utf8.ValidString(key) || strings.TrimSpace(key) != key {
		return false
	}
	for _, r := range key {
		if r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}

// multiDelete deletes the keys with one request of the XML API. The store is asked to
// name those that it deleted: a key that it does not name is not taken for deleted.
func (b *gcsBucket) multiDelete(ctx context.Context, keys []string) ([]error, error) {
	document := multiDelete{Objects: make([]multiDeleteObject, len(keys))}
	places := make(map[string][]int, len(keys))
	for i, key := range keys {
		document.Objects[i].Key = key
		places[key] = append(places[key], i)
	}
	body, err := xml.Marshal(document)
	if err != nil {
		return nil, &Error{Reason: ErrRejected, Err: err}
	}
	response, err := b.send(ctx, gcsRequest{
		op: "multi-delete", method: http.MethodPost, path: "/" + gcsEscape(b.name), query: map[string][]string{"delete": {""}},
		header: http.Header{"Content-Type": {"application/xml"}}, body: body,
	})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, gcsAnswerLimit))
	if err != nil {
		return nil, &Error{Reason: ErrUnavailable, Err: err}
	}
	var answer multiDeleted
	if err := xml.Unmarshal(data, &answer); err != nil {
		return nil, &Error{Status: response.StatusCode, Reason: ErrUnavailable, Hint: hintNotGCS, Err: errNotGCS}
	}
	return answer.results(len(keys), places)
}

// results gives each key's result, the places of keys in the request being known.
func (a multiDeleted) results(n int, places map[string][]int) ([]error, error) {
	results := make([]error, n)
	for i := range results {
		results[i] = &Error{Reason: ErrUnavailable, Err: errors.New("the answer does not tell what became of it")}
	}
	for _, deleted := range a.Deleted {
		for _, i := range places[deleted.Key] {
			results[i] = nil
		}
	}
	for _, failed := range a.Errors {
		at, ok := places[failed.Key]
		if !ok {
			return nil, &Error{Code: failed.Code, Reason: ErrRejected, Err: errors.New("the store reports an error for a key that was not named")}
		}
		for _, i := range at {
			results[i] = gcsKeyError(failed.Code, failed.Message)
		}
	}
	return results, nil
}
