// Package gcstest runs a server in the process that speaks the part of Google Cloud
// Storage's JSON API that package storage uses, and the deletes of its XML API. For
// tests; objects live in memory.
//
// It answers as Google's reference says, also where fake-gcs-server does not:
// conditions on generations, rewrites in several steps, the deletes of the XML API,
// tokens, and the words of its errors. The suite of package storetest runs unchanged
// against both.
//
// Around it sit counters by operation and faults. What it does not do: versions,
// holds, access control beyond one token, resumable uploads, other projections.
package gcstest
