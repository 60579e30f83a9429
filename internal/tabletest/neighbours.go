package tabletest

import "strings"

// Neighbours are objects that lie next to a table and do not belong to it, at
// places where a careless delete would hit them: folders and objects whose names
// begin with the table's, the table's name in another folder, and the
// names that a listing by prefix catches. location is the table's, without a slash
// at its end. Nothing lies under location itself.
func Neighbours(location string) Objects {
	parent, name := location, ""
	if i := strings.LastIndexByte(location, '/'); i >= 0 {
		parent, name = location[:i], location[i+1:]
	}
	objects := Objects{}
	for _, path := range []string{
		location + "2/data/00000-0.parquet",
		location + "2/metadata/00000-aa.metadata.json",
		location + "_backup/data/00000-0.parquet",
		location + ".old",
		location + "-",
		parent + "/" + name + "%2Fdata",
		parent + "/copy/" + name + "/data/00000-0.parquet",
		parent + "/README",
	} {
		objects[path] = []byte("a neighbour: " + path + "\n")
	}
	return objects
}

// Inside are foreign objects under the table's own location that nothing names,
// so that a purge leaves and reports them.
func Inside(location string) Objects {
	objects := Objects{}
	for _, path := range []string{
		location + "/data/_SUCCESS",
		location + "/data/left over.parquet",
		location + "/notes.txt",
	} {
		objects[path] = []byte("unreferenced: " + path + "\n")
	}
	return objects
}
