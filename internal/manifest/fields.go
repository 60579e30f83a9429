package manifest

// Fields says which optional fields of an entry are decoded; the others are
// stepped over. Status, content, path, record count, file size and the
// presence of key metadata always are.
type Fields uint32

// The optional fields of an entry.
const (
	FieldPartition  Fields = 1 << iota // partition, as raw Avro bytes
	FieldSequence                      // snapshot id, data and file sequence number
	FieldReferenced                    // referenced data file, content offset and size
	FieldRowID                         // first row id
	FieldFormat                        // file format
)

// slot is a place in a record: an index into ints or, counted apart, texts.
type slot int8

// Integers of a manifest entry.
const (
	entryStatus slot = iota
	entryContent
	entryRecords
	entrySize
	entrySnapshot
	entrySequence
	entryFileSequence
	entryRowID
	entryOffset
	entryLength
	entryKey
	entryInts
)

// Texts of a manifest entry.
const (
	entryPath slot = iota
	entryFormat
	entryReferenced
	entryPartition
)

// Integers of a manifest list entry.
const (
	listLength slot = iota
	listSpec
	listContent
	listSequence
	listMinSequence
	listSnapshot
	listAdded
	listExisting
	listDeleted
	listRowID
	listKey
	listAddedRows
	listExistingRows
	listDeletedRows
)

// listPath is the one text of a manifest list entry.
const listPath slot = 0

const (
	maxInts  = 14
	maxTexts = 4
)

// record receives the values of one entry.
type record struct {
	ints  [maxInts]int64
	texts [maxTexts][]byte
	marks []int // places in the capture, for a [Transcriber]
}

// shape is how a field is decoded.
type shape uint8

const (
	shapeLong   shape = iota // int or long
	shapeText                // string or bytes
	shapeHas                 // string or bytes: 1 if there is one and it is not empty
	shapeRaw                 // anything, kept as it is
	shapeRecord              // a record with fields of its own
)

// field is one field that a caller may want.
type field struct {
	id       int
	name     string
	alias    string // what older writers call it
	shape    shape
	slot     slot
	ask      Fields // decoded when asked for; 0 is always
	required bool
	fields   []field // of shapeRecord
}

// The ids and names are those of the Iceberg table specification.
var entryFields = []field{
	{id: 0, name: "status", slot: entryStatus, required: true},
	{id: 1, name: "snapshot_id", slot: entrySnapshot, ask: FieldSequence},
	{id: 3, name: "sequence_number", slot: entrySequence, ask: FieldSequence},
	{id: 4, name: "file_sequence_number", slot: entryFileSequence, ask: FieldSequence},
	{id: 2, name: "data_file", shape: shapeRecord, required: true, fields: []field{
		{id: 134, name: "content", slot: entryContent},
		{id: 100, name: "file_path", shape: shapeText, slot: entryPath, required: true},
		{id: 101, name: "file_format", shape: shapeText, slot: entryFormat, ask: FieldFormat},
		{id: 102, name: "partition", shape: shapeRaw, slot: entryPartition, ask: FieldPartition},
		{id: 103, name: "record_count", slot: entryRecords, required: true},
		{id: 104, name: "file_size_in_bytes", slot: entrySize, required: true},
		{id: 131, name: "key_metadata", shape: shapeHas, slot: entryKey},
		{id: 142, name: "first_row_id", slot: entryRowID, ask: FieldRowID},
		{id: 143, name: "referenced_data_file", shape: shapeText, slot: entryReferenced, ask: FieldReferenced},
		{id: 144, name: "content_offset", slot: entryOffset, ask: FieldReferenced},
		{id: 145, name: "content_size_in_bytes", slot: entryLength, ask: FieldReferenced},
	}},
}

// entryDefaults is an entry before it is read: -1 where a value is absent.
var entryDefaults = [maxInts]int64{
	entryStatus: -1, entryRecords: -1, entrySize: -1,
	entrySnapshot: -1, entrySequence: -1, entryFileSequence: -1, entryRowID: -1,
	entryOffset: -1, entryLength: -1,
}

var listFields = []field{
	{id: 500, name: "manifest_path", shape: shapeText, slot: listPath, required: true},
	{id: 501, name: "manifest_length", slot: listLength},
	{id: 502, name: "partition_spec_id", slot: listSpec, required: true},
	{id: 517, name: "content", slot: listContent},
	{id: 515, name: "sequence_number", slot: listSequence},
	{id: 516, name: "min_sequence_number", slot: listMinSequence},
	{id: 503, name: "added_snapshot_id", slot: listSnapshot},
	{id: 504, name: "added_files_count", alias: "added_data_files_count", slot: listAdded},
	{id: 505, name: "existing_files_count", alias: "existing_data_files_count", slot: listExisting},
	{id: 506, name: "deleted_files_count", alias: "deleted_data_files_count", slot: listDeleted},
	{id: 512, name: "added_rows_count", slot: listAddedRows},
	{id: 513, name: "existing_rows_count", slot: listExistingRows},
	{id: 514, name: "deleted_rows_count", slot: listDeletedRows},
	{id: 519, name: "key_metadata", shape: shapeHas, slot: listKey},
	{id: 520, name: "first_row_id", slot: listRowID},
}

var listDefaults = [maxInts]int64{
	listLength: -1, listSnapshot: -1,
	listAdded: -1, listExisting: -1, listDeleted: -1, listRowID: -1,
	listAddedRows: -1, listExistingRows: -1, listDeletedRows: -1,
}
