// Package s3test runs an S3 server in the process, for tests, benchmarks and
// the demo. Objects live in memory.
//
// The store and the object requests (put, get, head, delete, multipart uploads,
// buckets) are gofakes3's. Listings and DeleteObjects are answered here, from
// the same store, because there gofakes3 differs from S3 in what a deleter
// depends on: at most 1,000 keys a request, EncodingType=url, common prefixes
// that do not repeat from page to page, and truncation that looks at the prefix.
// Copies, in one request and in parts, the conditions of copies and deletes, and
// listings of versions are answered here too.
//
// Around both sit latency, a limit of requests a second, counters by operation, a
// check of the access key,
// and faults: wrong answers, broken and hanging connections, single keys of a
// DeleteObjects refused.
//
// What it does not do: signatures are not verified (only the access key's
// name), there are no policies, no locks, no storage classes.
package s3test
