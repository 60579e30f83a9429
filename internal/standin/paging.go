package standin

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// page cuts a list where paging is on and the client asks for it. The token is
// where the next page begins. Names are not in an order that clients could rely
// on, and neither are they on the real server.
func page[T any](s *Server, query url.Values, all []T) (part []T, next *string, err error) {
	if all == nil {
		all = []T{}
	}
	if !s.opts.Paging || !query.Has("pageToken") && !query.Has("pageSize") {
		return all, nil, nil
	}
	start, size := 0, len(all)
	if token := query.Get("pageToken"); token != "" {
		if start, size, err = readToken(token); err != nil {
			return nil, nil, err
		}
	}
	if text := query.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return nil, nil, refuse(http.StatusNotFound, "NotFoundException", "HTTP 404 Not Found")
		case n < 0:
			return nil, nil, badRequest("Invalid page size")
		}
		size = n
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	part = slices.Clip(all[start:end])
	if end < len(all) && size > 0 {
		token := writeToken(end, size)
		next = &token
	}
	return part, next, nil
}

func writeToken(start, size int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start) + ":" + strconv.Itoa(size)))
}

func readToken(token string) (start, size int, err error) {
	data, decodeErr := base64.RawURLEncoding.DecodeString(token)
	first, second, found := cutInts(string(data))
	if decodeErr != nil || !found {
		return 0, 0, refuse(http.StatusInternalServerError, "StreamReadException", "Input does not start with Smile format header")
	}
	return first, second, nil
}

func cutInts(text string) (first, second int, ok bool) {
	for i := range len(text) {
		if text[i] == ':' {
			a, errA := strconv.Atoi(text[:i])
			b, errB := strconv.Atoi(text[i+1:])
			return a, b, errA == nil && errB == nil
		}
	}
	return 0, 0, false
}
