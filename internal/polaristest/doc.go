// Package polaristest runs a real Apache Polaris with Deckhand's extension, for
// the tests of deploy/polaris and for the demo.
//
// A server is taken from POLARIS_HOME (the folder with quarkus-run.jar), or is
// built with deploy/polaris/mvn.sh where the registry has all of Polaris. A
// running one can be named by POLARIS_URL. Where there is none, [Find] says so
// with [ErrNone].
//
// The tests start their own PostgreSQL, NATS, and S3 server. Of a running server
// they ask only drops, receipts and the recorded answers: it takes POLARIS_URL,
// POLARIS_CREDENTIAL=id:secret and POLARIS_REALM, and a principal that may create
// a catalog; or with POLARIS_CATALOG one that may manage that catalog's content.
// NATS_URL, where that server publishes to, adds what becomes of a purge; the
// receipt takes POLARIS_CATALOG too, one that a worker purges in.
//
// The tests are asked for by TEST_POLARIS=1 (make test-polaris) or by
// one of the variables above. testdata holds what a Polaris 1.7.0 answered to
// drops, recorded at the wire, without secrets.
package polaristest
