package tabletest_test

import "strings"

// bucket is the smallest Bucket: a map by "bucket/key".
type bucket map[string][]byte

func (b bucket) Put(name, key string, data []byte) { b[name+"/"+key] = data }

func contains(s, part string) bool { return strings.Contains(s, part) }
