package metastore

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"deckhand/jobs"
)

// storageInfo is what is read of a catalog's storage configuration. The list is
// closed: a field that a later Polaris adds, a secret perhaps, stays where it is.
type storageInfo struct {
	StorageType       string   `json:"storageType"`
	AllowedLocations  []string `json:"allowedLocations"`
	Region            string   `json:"region"`
	Endpoint          string   `json:"endpoint"`
	EndpointInternal  string   `json:"endpointInternal"`
	STSEndpoint       string   `json:"stsEndpoint"`
	STSUnavailable    bool     `json:"stsUnavailable"`
	PathStyleAccess   bool     `json:"pathStyleAccess"`
	RoleARN           string   `json:"roleARN"` // so in rows; the API spells it roleArn, which is read too
	ExternalID        string   `json:"externalId"`
	TenantID          string   `json:"tenantId"`
	GCPServiceAccount string   `json:"gcpServiceAccount"`
}

func readStorage(text string) (*storageInfo, error) {
	var info *storageInfo
	if json.Unmarshal([]byte(text), &info) != nil || info == nil {
		return nil, errors.New("the storage configuration is not the JSON that Polaris writes")
	}
	return info, nil
}

// storageOf reads storage_configuration_info of a row. The error does not quote
// it.
func storageOf(text string) (*jobs.Storage, error) {
	info, err := readStorage(text)
	if err != nil {
		return nil, err
	}
	return &jobs.Storage{
		Type: info.StorageType, Region: info.Region, Endpoint: bare(info.Endpoint), EndpointInternal: bare(info.EndpointInternal),
		STSEndpoint: bare(info.STSEndpoint), STSUnavailable: info.STSUnavailable, PathStyleAccess: info.PathStyleAccess,
		RoleARN: info.RoleARN, ExternalID: info.ExternalID, TenantID: info.TenantID, GCPServiceAccount: info.GCPServiceAccount,
	}, nil
}

var (
	scheme    = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9+.-]*://`)
	endOfHost = regexp.MustCompile(`[/?#\\]`)
	query     = regexp.MustCompile(`(?s)[?#].*$`)
	oneHost   = regexp.MustCompile(`^(?:[^\s:@,%\[\]]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$`)
)

// bare is an endpoint without its login and query; "" if what is left is no host,
// or may be a part of a password, which can hold any character. The extension
// inside Polaris does the same (StorageUrls.java).
func bare(endpoint string) string {
	from := len(scheme.FindString(endpoint))
	to := len(endpoint)
	if end := endOfHost.FindStringIndex(endpoint[from:]); end != nil {
		to = from + end[0]
	}
	at := strings.LastIndexByte(endpoint, '@')
	if at >= to {
		return "" // a password with a slash in it, or a path with an @ in it
	}
	host := endpoint[max(from, at+1):to]
	if !oneHost.MatchString(host) {
		return ""
	}
	return endpoint[:from] + host + query.ReplaceAllString(endpoint[to:], "")
}
