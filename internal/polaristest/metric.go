package polaristest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Metric reads a figure of the management port, for example
// deckhand_outbox_publishes_total and answer="queued"; of series that differ in
// other labels it gives the sum. A name that is not there is an error.
func (s *Server) Metric(ctx context.Context, name, label string) (sum float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/q/metrics", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	found := false
	for line := range strings.Lines(string(text)) {
		labels := ""
		rest, ok := strings.CutPrefix(line, name+" ")
		if after, labelled := strings.CutPrefix(line, name+"{"); labelled {
			labels, rest, ok = strings.Cut(after, "} ")
		}
		if !ok {
			continue
		}
		if label != "" && !slices.Contains(strings.Split(labels, ","), label) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("%s has no %s{%s} (status %d): is the extension of this server older than these tests?", s.Management, name, label, answer.StatusCode)
	}
	return sum, nil
}
