package gcstest

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// batch answers the calls of a batch, in another order than they came.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	if s.opts.NoBatch {
		http.NotFound(w, r)
		return
	}
	reader, err := r.MultipartReader()
	if err != nil {
		failure(http.StatusBadRequest, "badRequest", "Failed to parse batch request").write(w)
		return
	}
	type answer struct {
		id       string
		response *http.Response
	}
	var answers []answer
	for {
		part, err := reader.NextPart()
		if err != nil {
			break
		}
		content, _ := io.ReadAll(part)
		if !bytes.Contains(content, []byte("\r\n\r\n")) {
			failure(http.StatusBadRequest, "badRequest", "Failed to parse batch request: a part has no end").write(w)
			return
		}
		inner, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(content)))
		if err != nil {
			failure(http.StatusBadRequest, "badRequest", "Failed to parse batch request").write(w)
			return
		}
		recorded := httptest.NewRecorder()
		_, key := names(inner.URL.EscapedPath())
		if f := s.faultOf(key); f != nil {
			f.write(recorded)
		} else {
			s.call(recorded, inner, opOf(inner))
		}
		id := strings.Trim(part.Header.Get("Content-ID"), "<>")
		answers = append(answers, answer{"<response-" + id + ">", recorded.Result()})
	}
	if len(answers) > 100 {
		failure(http.StatusBadRequest, "badRequest", "The batch has more than 100 calls").write(w)
		return
	}
	slices.Reverse(answers)
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, a := range answers {
		part, _ := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-ID": {a.id}})
		_ = a.response.Write(part)
	}
	_ = parts.Close()
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+parts.Boundary())
	_, _ = w.Write(body.Bytes())
}

func (s *Server) faultOf(key string) *Fault {
	s.mu.Lock()
	fault := s.part
	s.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(key)
}

// multiDelete answers the delete of many objects of the XML API.
func (s *Server) multiDelete(w http.ResponseWriter, r *http.Request) {
	bucket, _ := url.PathUnescape(strings.Trim(r.URL.EscapedPath(), "/"))
	if s.opts.NoMultiDelete || !r.URL.Query().Has("delete") {
		http.NotFound(w, r)
		return
	}
	var asked struct {
		XMLName xml.Name `xml:"Delete"`
		Quiet   bool     `xml:"Quiet"`
		Object  []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Object) > 1000 {
		(&Fault{Status: http.StatusBadRequest, Body: xmlError("MalformedXML", "The XML is not well-formed")}).write(w)
		return
	}
	answer := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []struct{ Key string }
		Error   []struct{ Key, Code, Message string }
	}{}
	for _, o := range asked.Object {
		if f := s.faultOf(o.Key); f != nil {
			answer.Error = append(answer.Error, struct{ Key, Code, Message string }{o.Key, f.Body, "as the test wants"})
			continue
		}
		s.mu.Lock()
		held, ok := s.buckets[bucket]
		delete(held, o.Key)
		s.mu.Unlock()
		if !ok {
			(&Fault{Status: http.StatusNotFound, Body: xmlError("NoSuchBucket", "The specified bucket does not exist.")}).write(w)
			return
		}
		if !asked.Quiet {
			answer.Deleted = append(answer.Deleted, struct{ Key string }{o.Key})
		}
	}
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	_ = xml.NewEncoder(w).Encode(answer)
}

func xmlError(code, message string) string {
	return fmt.Sprintf("<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}
