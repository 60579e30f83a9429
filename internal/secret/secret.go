package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
)

// Redacted is what a set secret looks like.
const Redacted = "[redacted]"

// String is a secret text. The empty String is "no secret" and shows as "".
type String string

// Reveal gives the secret itself.
func (s String) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (s String) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// GoString implements [fmt.GoStringer].
func (s String) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format implements [fmt.Formatter], so that no verb shows the secret.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], which JSON and YAML use.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxFile is the size in bytes above which a file is surely not a secret.
const maxFile = 64 << 10

// ReadFile reads a secret from a file and drops the line break at its end. A
// missing, unreadable, empty or larger than 64 KiB file is an error that names
// the path.
func ReadFile(path string) (String, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the file %s does not exist", path)
	case err != nil:
		return "", fmt.Errorf("read secret file: %w", err)
	case len(data) > maxFile:
		return "", fmt.Errorf("the file %s has %d bytes, a secret has at most %d", path, len(data), maxFile)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("the file %s is empty", path)
	}
	return String(text), nil
}

// RedactURL hides the password, or the token that stands in the user's place, in
// a URL or in a list of them separated by commas.
func RedactURL(text string) string {
	parts := strings.Split(text, ",")
	for i, part := range parts {
		parts[i] = redactOne(part)
	}
	return strings.Join(parts, ",")
}

func redactOne(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "", text
	} else {
		scheme += "://"
	}
	// By hand rather than by net/url: a text that does not parse as a URL must
	// not show its password either. The last "@" ends the user part.
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return text
	}
	user, _, hasPassword := strings.Cut(rest[:at], ":")
	if !hasPassword {
		return scheme + Redacted + rest[at:]
	}
	if name, err := url.PathUnescape(user); err == nil {
		user = url.PathEscape(name)
	}
	return scheme + user + ":" + Redacted + rest[at:]
}

// Fill reads a secret from a file into value when file is not empty. The errors
// name the field: both were given, the file cannot be read, or the value is
// [Redacted], which means that a printed configuration is used as a real one.
func Fill(field string, value *String, file string) error {
	switch {
	case *value == Redacted:
		return fmt.Errorf("%s: is %q, as a printed configuration has it; write the secret itself or set %s_file", field, Redacted, field)
	case file == "":
		return nil
	case *value != "":
		return fmt.Errorf("%s: give it or %s_file, not both", field, field)
	}
	read, err := ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s_file: %w", field, err)
	}
	*value = read
	return nil
}
