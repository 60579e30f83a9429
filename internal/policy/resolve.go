package policy

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// resolve fills in what settings leave open, from the table's properties and then
// the defaults, and says where each comes from; said are the keys that the policy
// has. The error names a property whose
// value is no good, or settings that contradict each other.
func resolve(settings Settings, said map[string]given, properties map[string]string) (Settings, []Setting, error) {
	kind := settings.Kind()
	effective := reflect.New(reflect.TypeOf(settings)).Elem()
	effective.Set(reflect.ValueOf(settings))
	byKey := map[string]reflect.Value{}
	for name, field := range fields(effective) {
		byKey[name] = field
	}
	origins, wrong := map[string]Origin{}, []string(nil)
	for i := range Keys {
		key := &Keys[i]
		field, hasField := byKey[key.Name]
		if !key.has(kind) || !hasField {
			continue
		}
		if _, isSaid := said[key.Name]; isSaid {
			origins[key.Name] = FromPolicy
			continue
		}
		origin, err := key.complete(field, properties)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		origins[key.Name] = origin
	}
	if wrong != nil {
		return nil, nil, errors.New(strings.Join(wrong, "; "))
	}
	complete := effective.Interface().(Settings)
	if compact, is := complete.(Compact); is {
		var err error
		if complete, err = compact.derive(); err != nil {
			return nil, nil, err
		}
	}
	return complete, listed(complete, origins), nil
}

// complete sets a field of which the policy says nothing. Origin is empty when it stays unset.
func (k *Key) complete(field reflect.Value, properties map[string]string) (Origin, error) {
	if text, found := properties[k.Property]; found && k.Property != "" {
		value, err := k.PropertyType.parse(k.PropertyType.fromText(strings.TrimSpace(text)))
		if errors.Is(err, errType) {
			return "", fmt.Errorf("table property %s: want %s, not %s", k.Property, want[k.PropertyType], quote(text))
		}
		if err == nil {
			err = k.tolerable(value)
		}
		if err != nil {
			return "", fmt.Errorf("table property %s: %w", k.Property, err)
		}
		set(field, value)
		return Origin("table property " + k.Property), nil
	}
	if k.Default == "" {
		return "", nil
	}
	if !k.Derived {
		// Defaults are held to their types by a test.
		value, err := k.Type.parse(k.Type.fromText(k.Default))
		if err != nil {
			return "", fmt.Errorf("default of %s: %w", k.Name, err)
		}
		set(field, value)
	}
	return FromDefault, nil
}

// tolerable is what a table property may be. The engines take sizes that a policy
// may not ask for, since there they are most likely in the wrong unit.
func (k *Key) tolerable(value any) error {
	if n, isWhole := value.(int64); isWhole && n > 0 && n <= anInt {
		return nil
	}
	_, err := k.allowed(value)
	return err
}

// What Iceberg takes for too small and too large, in parts of the target size
// (org.apache.iceberg.actions.SizeBasedFileRewritePlanner).
const (
	minFileSizeRatio = 0.75
	maxFileSizeRatio = 1.8
)

// derive completes what follows from other settings.
func (c Compact) derive() (Compact, error) {
	target := float64(c.TargetFileSizeBytes)
	if c.MinFileSizeBytes == nil {
		smallest := int64(target * minFileSizeRatio)
		c.MinFileSizeBytes = &smallest
	}
	if c.MaxFileSizeBytes == 0 {
		c.MaxFileSizeBytes = max(c.TargetFileSizeBytes+1, int64(min(target*maxFileSizeRatio, math.MaxInt64/2)))
	}
	if c.PartialProgressMaxFailed == nil {
		failed := c.PartialProgressMaxCommits
		c.PartialProgressMaxFailed = &failed
	}
	if *c.MinFileSizeBytes >= c.TargetFileSizeBytes || c.TargetFileSizeBytes >= c.MaxFileSizeBytes {
		return c, fmt.Errorf("min-file-size-bytes, target-file-size-bytes and max-file-size-bytes are %d, %d and %d; each must be less than the next",
			*c.MinFileSizeBytes, c.TargetFileSizeBytes, c.MaxFileSizeBytes)
	}
	return c, nil
}

// listed are the settings that are in force, in the order of Keys.
func listed(settings Settings, origins map[string]Origin) []Setting {
	values := map[string]reflect.Value{}
	for name, field := range fields(reflect.ValueOf(settings)) {
		values[name] = field
	}
	var list []Setting
	for i := range Keys {
		key := &Keys[i]
		if origin := origins[key.Name]; origin != "" && key.has(settings.Kind()) {
			list = append(list, Setting{Name: key.Name, Value: format(reflect.Indirect(values[key.Name]).Interface()), Origin: origin})
		}
	}
	return list
}
