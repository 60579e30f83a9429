// Package ownership asks a catalog whose the files are: who lives in a namespace,
// with which UUID, metadata file and locations.
//
// A purge asks it before it deletes whether the dropped table lives on, since it was
// registered again under its name or another one ([Index.Owner]); a removal of
// orphans asks which others keep files inside the table's location ([Index.Inside]).
//
// What is guaranteed:
//
//   - Only an answer of the catalog that something is not there means that it is not.
//     A refusal, a server that is away, a list that breaks off and metadata that the
//     catalog cannot read are errors: nobody knows then.
//   - The name that is asked for is looked up anew for each question. All other names
//     come from a look through the namespace, or the catalog, that ended at most a
//     minute before the question ([Config.MaxAge]), so that a table which was registered
//     under another name can be missed for that long, and for as long as the look itself
//     took: at 20 requests a second about a second for each 20 tables. One that the look
//     saw under another name than the one in question, and that is not there any more,
//     may have been renamed: it is looked for among the names that are new since.
//   - A namespace is looked through at most once a minute, whoever asks. A table that
//     has not changed since costs one request without a body; a view or a table of
//     another format is described anew, since Polaris gives no ETag for those.
//   - "It lives on" is never said from memory: the table that is named was asked for
//     again right before.
//   - What is kept of a table is a few hundred bytes, and namespaces that nobody asks
//     for are forgotten ([Config.MaxEntries]).
//
// What it does not do: it keeps nobody from registering the table a moment later, it
// asks one catalog and not the others that may have the same files, and it decides
// nothing about files.
package ownership
