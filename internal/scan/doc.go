// Package scan looks through catalogs for tables that a policy wants maintained,
// and has a job published for each that is due.
//
// What it guarantees: between two scans it keeps of each table what deciding needs,
// so that an unchanged table costs one request that brings no body, and one more
// for its policies once in a while; age alone makes such a table due. The policies
// are asked for again right before a job is published. A table that cannot be
// loaded, a policy that is broken and a catalog that is down are counted, logged
// when they begin, and do not keep the rest from being looked at.
//
// What it does not do: it reads no storage, decides nothing that package policy
// decides, keeps nothing across processes but what is in the queue, and does not
// see to it that only one scan runs at a time.
package scan
