// Package polaris is the REST client of one catalog: Apache Polaris, or another
// server of the Iceberg REST protocol, which then has no policies.
//
// What it guarantees:
//
//   - A token is asked for only where there is a credential, before the old one
//     expires, by one request at a time, and once more when the server refuses it.
//   - All clients that share a [Limiters] keep together to the smallest rate and
//     number of requests in flight that one of them allows for a server; a server
//     that is overloaded is asked less, until it recovers.
//   - A load has every snapshot of the table, or is an error ([ErrPartial]).
//   - "Gone" ([ErrNotFound], [ErrNoNamespace]) is an answer of the catalog in the
//     protocol's form, never the 404 of a proxy, and only while the catalog itself
//     is there.
//   - A commit that may have taken place is [ErrStateUnknown] and nothing else.
//   - No secret, token or key is in an error or in a log.
//
// What it does not do: it decides nothing about tables, creates and drops nothing,
// signs no requests for a store (remote signing), and follows no redirect.
//
// Source of the protocol: the Iceberg REST catalog specification
// (open-api/rest-catalog-open-api.yaml) and the API of Polaris
// (spec/polaris-catalog-apis), as Polaris 1.7.0 answers them.
package polaris
