// Package manifest reads Iceberg manifest lists and manifests as a stream,
// and writes them.
//
// Reading ([Reader], [ReadList]) is a decoder of Avro object container files
// written for one purpose: to go through millions of entries and take only
// what the caller asks for. The schema in the file is compiled once into a
// list of operations; the fields that nobody asked for are stepped over, not
// decoded. Fields are found by Iceberg's field id, and by name where a field
// has none, never by position, so extra fields, another order and other Avro
// types of the same meaning are read alike. Format versions 1, 2 and 3 are.
//
// Writing is transcribing: a [Transcriber] takes the live entries of a
// manifest, whoever wrote it, into the [Layout] of a table, a [Writer] makes
// manifests of them, and a [ListWriter] makes a manifest list of those and of
// the ones that stay, which [CarryList] reads. What is encoded alike in the
// file and in the layout is copied; the rest is converted.
//
// What reading guarantees:
//   - Memory does not depend on the file: about 150 KiB a reader for the
//     codecs null and deflate, whatever the size of a block. A zstandard
//     block that unpacks to more than 96 KiB needs the window that its frame
//     asks for (at most 8 MiB, 2 MiB as Java writes it); a smaller one does
//     not. A snappy block has to be held whole (at most 64 MiB).
//   - Nothing is allocated per entry once the buffers of a [Reader] have
//     grown to the longest path.
//   - A broken file gives a [CorruptError] with the file's name and the byte
//     offset, never a panic. Sync markers, the count and the length of blocks
//     and snappy's checksums are verified.
//   - An error of the underlying reader is passed on, wrapped, and is never
//     a [CorruptError]: a network that fails does not condemn a file.
//
// What writing guarantees:
//   - Every entry keeps its snapshot id, data and file sequence number, in v3
//     its first row id, its partition and all that it says of its file; what
//     it inherited is written out. Nothing is lost in silence: a value that
//     has no place in the layout, a field that is not known, a number that
//     does not fit are a [NotCarriedError]. The exceptions are what the
//     specification says is not to be written: block_size_in_bytes outside
//     v1, file_ordinal, sort_columns and distinct_counts.
//   - Entries become existing ones, or ones of files that the new snapshot
//     removes; those of files that were removed before are left out.
//   - The files are as Iceberg's Java library writes them, in its order of
//     fields, so that all readers know them; names in Avro are of ASCII.
//   - Bounds of partitions hold for every reader, or there are none.
//   - A list assigns row ids in v3 only to manifests that need them.
//   - Memory does not depend on the file: besides that of reading, one entry
//     (at most 64 MiB), one block of 64 KB and the encoder's state, about
//     1 MiB.
//
// What it does not do: it does not close or cancel the reader or writer it is
// given (whose owner does), does not read or write encrypted files, does not
// check paths, and [Reader] does not apply the inheritance of snapshot ids
// and sequence numbers, which [Transcriber] does. An integer that is stepped
// over is not checked for its range. A file that was cut exactly between two
// blocks cannot be told from a whole one: Avro has no footer. Who needs to
// know compares the length in the manifest list with the bytes that were
// read. Manifests of one spec are not brought into another.
//
// Sources: the Avro specification 1.12 (object container files, binary
// encoding), the Iceberg table specification (manifests, manifest lists, row
// lineage) and Iceberg's Java library 1.10 (V1Metadata to V3Metadata,
// InheritableMetadataFactory, ManifestReader, ManifestWriter,
// ManifestListWriter).
package manifest
