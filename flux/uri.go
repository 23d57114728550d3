// SPDX-License-Identifier: MIT

package flux

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// systemURI is where the broker of a machine listens when no variable says where.
const systemURI = "local:///run/flux/local"

// URIEnv is the variable in which Flux tells its jobs and shells where their
// broker listens.
const URIEnv = "FLUX_URI"

// SocketOf is the path of the socket that a URI names. Flux takes a path as it
// stands, so a % in it is a %; only one that begins with %2F, as old versions
// wrote it, is decoded. Other schemes than local are refused.
func SocketOf(uri string) (string, error) {
	path, ok := strings.CutPrefix(uri, "local://")
	if !ok {
		if scheme, _, found := strings.Cut(uri, "://"); found {
			return "", fmt.Errorf("the broker at %q: %s:// is not spoken here, only local://; run on the host of the broker, or in one of its jobs", uri, scheme)
		}
		return "", fmt.Errorf("the broker at %q: this is no URI such as local:///run/flux/local", uri)
	}
	path = strings.Trim(path, " \t")
	if strings.HasPrefix(path, "%2F") || strings.HasPrefix(path, "%2f") {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return "", fmt.Errorf("the broker at %q: %w", uri, err)
		}
		path = decoded
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("the broker at " + uri + ": the URI has no path")
	}
	return path, nil
}

// envURI is where FLUX_URI says, or the system's broker.
func envURI() string {
	if uri := os.Getenv(URIEnv); uri != "" {
		return uri
	}
	return systemURI
}
