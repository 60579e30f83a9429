// Package manifest reads Iceberg manifest lists and manifests as a stream.
//
// It is a decoder of Avro object container files written for one purpose:
// to go through millions of entries and take only what the caller asks for.
// The schema in the file is compiled once into a list of operations; the
// fields that nobody asked for are stepped over, not decoded. Fields are
// found by Iceberg's field id, and by name where a field has none, never by
// position, so extra fields, another order and other Avro types of the same
// meaning are read alike. Format versions 1, 2 and 3 are.
//
// What it guarantees:
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
// What it does not do: it does not close or cancel the reader it is given
// (whose owner does), does not read encrypted files, does not decode column
// statistics, does not apply the inheritance of snapshot ids and sequence
// numbers, and does not check paths. An integer that is stepped over is not
// checked for its range. A file that was cut exactly between two blocks
// cannot be told from a whole one: Avro has no footer. Who needs to know
// compares the length in the manifest list with the bytes that were read.
//
// Sources: the Avro specification 1.12 (object container files, binary
// encoding) and the Iceberg table specification (manifests, manifest lists).
package manifest
