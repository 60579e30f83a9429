package partition

// Summary says which values one field has in the partitions of a manifest: a
// field_summary of the Iceberg table specification.
type Summary struct {
	ContainsNull bool
	ContainsNaN  bool
	// Lower and Upper are in Iceberg's single-value serialisation; nil when
	// there is no value other than null and NaN.
	Lower, Upper []byte
}
