package metastore

import (
	"encoding/json"
	"errors"
	"regexp"

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

// What of an endpoint can be a secret: user:password@, and what follows a
// question mark.
var (
	userInfo = regexp.MustCompile(`(//)[^/?#]*@`)
	query    = regexp.MustCompile(`(?s)[?#].*$`)
)

func bare(endpoint string) string {
	return query.ReplaceAllString(userInfo.ReplaceAllString(endpoint, "$1"), "")
}
