package polaristest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deckhand/jobs"
	"deckhand/jobs/purge"
)

// receiptOf waits for the end of a purge.
func receiptOf(t *testing.T, js jetstream.JetStream, job *jobs.Job) *purge.Receipt {
	t.Helper()
	stream, err := js.Stream(t.Context(), "RESULTS")
	require.NoError(t, err)
	var result jobs.Result
	eventually(t, func() bool {
		message, err := stream.GetLastMsgForSubject(t.Context(), jobs.ResultSubjectPrefix+job.Tail())
		if err == nil {
			require.NoError(t, json.Unmarshal(message.Data, &result))
		}
		return err == nil
	}, "no result of %s", job.Tail())
	require.Equal(t, jobs.Completed, result.Outcome, result.Reason)
	var receipt purge.Receipt
	require.NoError(t, json.Unmarshal(result.Receipt, &receipt))
	return &receipt
}

// nextJob waits for the job on a subject and gives what lies there.
func (r *ring) nextJob(t *testing.T, filter string) *jobs.Job {
	t.Helper()
	var job *jobs.Job
	eventually(t, func() bool {
		stream, err := r.js.Stream(t.Context(), jobs.StreamName)
		require.NoError(t, err)
		message, err := stream.GetLastMsgForSubject(t.Context(), filter)
		if err != nil {
			return false
		}
		job, err = jobs.Decode(message.Data)
		require.NoError(t, err)
		require.NoError(t, job.CheckSubject(message.Subject))
		return true
	}, "no job on %s", filter)
	return job
}

func purgeAndReceipt(t *testing.T, r *ring) {
	server, c := r.serve(t, nil)
	r.create(t, c, 1)
	written := writeTable(t, server.URL, Realm, Credential, catalogName, "n")
	neighbours := len(r.files(t))
	_, err := c.Purge(t.Context(), catalogName, "n", "orders")
	require.NoError(t, err)
	job := r.nextJob(t, "jobs.purge.POLARIS."+catalogName+".n.orders.*")
	require.Equal(t, written.Metadata.UUID, job.TableUUID)
	require.Equal(t, written.MetadataLocation, job.MetadataLocation)
	require.Equal(t, "root", job.RequestedBy)
	require.Equal(t, "FILE", job.Storage.Type)

	r.work(t)
	receipt := receiptOf(t, r.js, job)
	require.EqualValues(t, 3, receipt.Deleted[purge.Data].Files)
	require.Equal(t, purge.VerifiedNamespace, receipt.Verified, "the drop is to be seen before the purge is")
	for _, path := range receipt.Left.Paths {
		require.True(t, strings.HasSuffix(path, checksum), path)
	}
	require.Len(t, r.files(t), neighbours-int(receipt.Deleted.Total().Files))
	require.NotEmpty(t, r.files(t), "another table lies beside")
}

func purgeView(t *testing.T, r *ring) {
	_, c := r.serve(t, nil)
	r.create(t, c, 0)
	path := "/api/catalog/v1/" + catalogName + "/namespaces/n/views"
	_, err := c.Must(t.Context(), http.StatusOK, http.MethodPost, path, aView("n"))
	require.NoError(t, err)
	require.Len(t, r.files(t), 1)
	_, err = c.Must(t.Context(), http.StatusNoContent, http.MethodDelete, path+"/v", nil)
	require.NoError(t, err)
	job := r.nextJob(t, "jobs.purge-view.POLARIS."+catalogName+".n.v.*")
	r.work(t)
	receipt := receiptOf(t, r.js, job)
	require.EqualValues(t, 1, receipt.Deleted[purge.MetadataFiles].Files)
	require.Empty(t, r.files(t))
}

// aView describes a view v.
func aView(namespace string) map[string]any {
	return map[string]any{"name": "v", "properties": map[string]any{},
		"schema": map[string]any{"type": "struct", "schema-id": 0, "fields": []any{map[string]any{"id": 1, "name": "id", "type": "long", "required": false}}},
		"view-version": map[string]any{"version-id": 1, "timestamp-ms": time.Now().UnixMilli(), "schema-id": 0, "summary": map[string]any{"engine-name": "spark"},
			"default-namespace": []string{namespace}, "representations": []any{map[string]any{"type": "sql", "sql": "select 1", "dialect": "spark"}}}}
}

func switchedOff(t *testing.T, r *ring) {
	_, c := r.serve(t, func(o *Options) { o.Stock = true })
	r.create(t, c, 2)
	require.NotEmpty(t, r.files(t))
	drop(t, c, 0, 2)
	eventually(t, func() bool { return len(r.files(t)) == 0 }, "Polaris itself does not purge")
	_, taken := r.published(t)
	require.Zero(t, taken)
}
