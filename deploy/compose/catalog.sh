#!/bin/sh
# Makes the catalog "lake" in Polaris, once: s3://warehouse/ on the S3 server of
# compose.yaml. Needs curl.
#
# POLARIS             the server's URL
# POLARIS_CREDENTIAL  id:secret of a principal that may manage catalogs
set -eu

token="$(curl --silent --fail-with-body "$POLARIS/api/catalog/v1/oauth/tokens" \
	--data-urlencode grant_type=client_credentials --data-urlencode scope=PRINCIPAL_ROLE:ALL \
	--data-urlencode "client_id=${POLARIS_CREDENTIAL%%:*}" --data-urlencode "client_secret=${POLARIS_CREDENTIAL#*:}" |
	sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')"

# call METHOD PATH BODY: 409 means that it is there already
call() {
	status="$(curl --silent --output /dev/stderr --write-out '%{http_code}' --request "$1" "$POLARIS$2" \
		--header "Authorization: Bearer $token" --header 'Content-Type: application/json' --data "$3")"
	case "$status" in
	2?? | 409) ;;
	*)
		echo "$1 $2: status $status" >&2
		exit 1
		;;
	esac
}

# Clients on this machine reach the store at 127.0.0.1, Polaris and the worker as "s3".
call POST /api/management/v1/catalogs '{"catalog":{"name":"lake","type":"INTERNAL",
	"properties":{"default-base-location":"s3://warehouse/"},
	"storageConfigInfo":{"storageType":"S3","allowedLocations":["s3://warehouse/"],"region":"us-east-1",
		"endpoint":"http://127.0.0.1:9000","endpointInternal":"http://s3:9000","pathStyleAccess":true,"stsUnavailable":true}}}'
call PUT /api/management/v1/catalogs/lake/catalog-roles/catalog_admin/grants \
	'{"grant":{"type":"catalog","privilege":"CATALOG_MANAGE_CONTENT"}}'
echo "catalog lake is there"
