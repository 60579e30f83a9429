package command

import (
	"strconv"
	"strings"
	"unicode"
)

// Clean is a text that can be shown on a terminal: one that holds control
// characters, or anything else that does not print, is quoted as Go would. Names
// of tables, jobs and workers come from others, and could move the cursor or
// pretend to be a line of ours.
func Clean(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, "\uFFFD") {
		return strconv.Quote(text)
	}
	return text
}

// escape replaces what does not print in a text that is prose.
func escape(text string) string {
	var out strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}
