package telemetry

// Keys of log attributes. They are the same in each package, so that one search
// finds all that happened to a job or a table.
const (
	KeyJob      = "job"     // a job's id
	KeyKind     = "kind"    // its kind
	KeyTable    = "table"   // namespace.table
	KeyCatalog  = "catalog" // name of the catalog
	KeyRealm    = "realm"
	KeyAttempt  = "attempt"
	KeyWorker   = "worker"
	KeySubject  = "subject"
	KeyLocation = "location"
	KeyError    = "error"
	KeyAddress  = "address"
)
