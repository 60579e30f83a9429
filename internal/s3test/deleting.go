package s3test

import (
	"bytes"
	"encoding/xml"
	"net/http"

	"github.com/johannesboyne/gofakes3"
)

type deleteRequest struct {
	Quiet   bool `xml:"Quiet"`
	Objects []struct {
		Key       string `xml:"Key"`
		VersionID string `xml:"VersionId"`
	} `xml:"Object"`
}

// deleteObjects answers DeleteObjects as S3 does: per key, absent keys too are
// deleted, at most 1,000 of them.
func (s *Server) deleteObjects(w http.ResponseWriter, r *http.Request, fault *Fault) {
	bucket, _ := split(r)
	var request deleteRequest
	if err := xml.NewDecoder(r.Body).Decode(&request); err != nil || len(request.Objects) == 0 || len(request.Objects) > pageLimit {
		writeError(w, r, http.StatusBadRequest, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema")
		return
	}
	type refusal struct {
		gofakes3.ObjectID
		code string
	}
	var refused []refusal
	deleted := make([]gofakes3.ObjectID, 0, len(request.Objects))
	for _, named := range request.Objects {
		o := gofakes3.ObjectID{Key: named.Key, VersionID: named.VersionID}
		if fault != nil && fault.Key != nil {
			if code := fault.Key(o.Key); code != "" {
				refused = append(refused, refusal{o, code})
				continue
			}
		}
		deleted = append(deleted, o)
	}
	if !s.opts.DeleteAlwaysOK {
		if _, err := s.store.Load().backend.DeleteMultiVersions(bucket, deleted...); err != nil {
			writeError(w, r, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
			return
		}
	}
	var b bytes.Buffer
	b.WriteString(xml.Header + `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	if !request.Quiet || s.opts.IgnoreQuiet {
		for _, o := range deleted {
			b.WriteString("<Deleted>")
			writeObject(&b, o)
			b.WriteString("</Deleted>")
		}
	}
	for _, e := range refused {
		b.WriteString("<Error>")
		writeObject(&b, e.ObjectID)
		b.WriteString("<Code>")
		escape(&b, e.code)
		b.WriteString("</Code><Message>a fault of the test</Message></Error>")
	}
	b.WriteString("</DeleteResult>")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(b.Bytes())
}

func writeObject(b *bytes.Buffer, o gofakes3.ObjectID) {
	b.WriteString("<Key>")
	escape(b, o.Key)
	b.WriteString("</Key>")
	if o.VersionID != "" {
		b.WriteString("<VersionId>" + o.VersionID + "</VersionId>")
	}
}
