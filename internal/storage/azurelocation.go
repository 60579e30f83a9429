package storage

import (
	"slices"
	"strings"
)

// azureScheme is that of locations of Azure, however they are written.
const azureScheme = "abfss"

// parseAzure reads what follows abfss:, abfs:, wasbs: and wasb:. All four name the
// same blobs: the services "dfs" and "blob" of an account are two doors to one
// store. Its "bucket" is container@account.dfs.suffix.
//
// Source: "Use the Azure Data Lake Storage Gen2 URI" for the schemes, and "Storage
// account endpoints" (standard endpoints, and those with a DNS zone) of Azure's
// documentation.
func parseAzure(uri, rest string) (Location, error) {
	invalid := func(detail string) (Location, error) {
		return Location{}, &LocationError{URI: uri, Detail: detail, Reason: ErrInvalidLocation}
	}
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return invalid("container@account.dfs.core.windows.net must follow abfss://")
	}
	authority, key, _ := strings.Cut(authority, "/")
	container, host, ok := strings.Cut(authority, "@")
	switch {
	case !ok:
		return invalid("the container or the account is missing, write abfss://container@account.dfs.core.windows.net/key")
	case !isContainer(container):
		return invalid("the container's name may hold only letters, digits, hyphens and underscores, and begin with a dollar sign")
	}
	host, ok = azureHost(host)
	if !ok {
		return invalid("behind the @ must stand the host of a storage account, account.dfs.core.windows.net")
	}
	return Location{Scheme: azureScheme, Bucket: container + "@" + host, Key: key}, nil
}

// azureHost gives a host of either service the name of the other's, "dfs", too.
func azureHost(host string) (string, bool) {
	labels := strings.Split(strings.ToLower(host), ".")
	if len(labels) > 1 && labels[1] == "privatelink" { // another name for the same host
		labels = slices.Delete(labels, 1, 2)
	}
	service := 0
	for i, label := range labels {
		if !isBucket(label) {
			return "", false
		}
		if i > 0 && service == 0 && (label == "dfs" || label == "blob") {
			labels[i], service = "dfs", i
		}
	}
	return strings.Join(labels, "."), service > 0 && service < len(labels)-1
}

func isContainer(name string) bool {
	name = strings.TrimPrefix(name, "$")
	for _, c := range []byte(name) {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}

// BlobHost is the host of the blob service that holds a location of Azure, "" for
// others.
func (l Location) BlobHost() string {
	if l.Scheme != azureScheme {
		return ""
	}
	_, _, host := azureParts(l.Bucket)
	return host
}

// azureParts takes the "bucket" of a location of Azure apart: its container, its
// account and the host of its blob service.
func azureParts(bucket string) (container, account, host string) {
	container, host, _ = strings.Cut(bucket, "@")
	account, suffix, _ := strings.Cut(host, ".")
	before, after, _ := strings.Cut("."+suffix, ".dfs.")
	return container, account, account + before + ".blob." + after
}
