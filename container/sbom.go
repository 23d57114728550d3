// SPDX-License-Identifier: MIT

package container

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/converged-computing/ensemble/spec"
)

// Document is a bill of materials in the form of SPDX 2.3 (ISO/IEC 5962).
type Document struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      spdxCreation   `json:"creationInfo"`
	Packages          []spdxPackage  `json:"packages"`
	Relationships     []spdxRelation `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	SPDXID           string         `json:"SPDXID"`
	Name             string         `json:"name"`
	VersionInfo      string         `json:"versionInfo,omitempty"`
	DownloadLocation string         `json:"downloadLocation"`
	Homepage         string         `json:"homepage,omitempty"`
	LicenseDeclared  string         `json:"licenseDeclared,omitempty"`
	FilesAnalyzed    bool           `json:"filesAnalyzed"`
	Checksums        []spdxChecksum `json:"checksums,omitempty"`
	ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
	Purpose          string         `json:"primaryPackagePurpose,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelation struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// SBOM says what is in the image that was built of a point: the distribution's
// packages with their versions, and what was built from source, with its checksums.
func SBOM(p *Point, b *Build) *Document {
	image := spdxPackage{
		SPDXID: "SPDXRef-image", Name: p.Name(), VersionInfo: b.Digest, DownloadLocation: "NOASSERTION",
		Purpose: "CONTAINER", Checksums: []spdxChecksum{{"SHA256", strings.TrimPrefix(b.Digest, "sha256:")}},
	}
	d := &Document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", Name: p.Name(),
		DocumentNamespace: "https://" + spec.APIVersion + "/spdx/" + strings.TrimPrefix(b.Digest, "sha256:"),
		CreationInfo:      spdxCreation{b.Built.UTC().Format(time.RFC3339), []string{"Tool: ensemble"}},
		Packages:          []spdxPackage{image},
		Relationships:     []spdxRelation{{"SPDXRef-DOCUMENT", "DESCRIBES", image.SPDXID}},
	}
	add := func(x spdxPackage) {
		x.SPDXID = fmt.Sprintf("SPDXRef-package-%d", len(d.Packages))
		d.Packages = append(d.Packages, x)
		d.Relationships = append(d.Relationships, spdxRelation{image.SPDXID, "CONTAINS", x.SPDXID})
	}
	kind := map[spec.Family]string{spec.FamilyDebian: "deb", spec.FamilyRHEL: "rpm"}[p.Base.Family]
	distribution := strings.TrimRight(p.Base.Name, "0123456789.")
	for _, x := range b.Resolved.Packages {
		add(spdxPackage{Name: x.Name, VersionInfo: x.Version, DownloadLocation: "NOASSERTION", ExternalRefs: []spdxRef{{
			"PACKAGE-MANAGER", "purl", fmt.Sprintf("pkg:%s/%s/%s@%s?arch=%s", kind, distribution, x.Name, strings.ReplaceAll(x.Version, "+", "%2B"), x.Architecture)}}})
	}
	built := func(r *spec.Recipe, version, homepage, license string) {
		for _, s := range r.Sources {
			x := spdxPackage{Name: s.Name, VersionInfo: cmp.Or(version, s.Commit), DownloadLocation: s.URL, Homepage: homepage, LicenseDeclared: license}
			switch {
			case s.Commit != "":
				x.DownloadLocation = "git+" + s.URL + "@" + s.Commit
			case s.SHA256 != "":
				x.Checksums = []spdxChecksum{{"SHA256", s.SHA256}}
			case s.SHA512 != "":
				x.Checksums = []spdxChecksum{{"SHA512", s.SHA512}}
			default: // of the project itself
				x.DownloadLocation = "NOASSERTION"
			}
			add(x)
		}
	}
	for _, part := range p.parts() {
		if part != p.Toolchain || len(p.specs()) > 0 {
			built(&part.Build, part.Version, part.Homepage, part.License)
		}
	}
	built(&p.Recipe.Build, p.Recipe.Version, p.App.Spec.Homepage, p.App.Spec.License)
	return d
}
