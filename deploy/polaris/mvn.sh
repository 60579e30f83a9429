#!/usr/bin/env bash
# Runs Maven on this folder with a JDK that is new enough, and with the profile
# that the registry at hand asks for:
#
#   deploy/polaris/mvn.sh -pl outbox,wiring verify
#   deploy/polaris/mvn.sh --jdk 17 -pl outbox test     # on this JDK and no other; it does nothing where there is none
#
# JAVA_HOME     a JDK 21 or newer; else the newest under /usr/lib/jvm is taken
# POLARIS_REGISTRY=whole|partial   does the registry have all of Polaris? Else it is asked, until it has answered once
set -euo pipefail
cd "$(dirname "$0")"

wanted=21 only=
if [ "${1:-}" = --jdk ]; then
	only="${2:?--jdk needs a release, such as 17}"
	wanted="$only"
	shift 2
fi

# release DIR: the feature release of the JDK in DIR, 0 if it has no compiler
release() {
	[ -x "$1/bin/javac" ] || { echo 0; return; }
	sed -nE 's/^JAVA_VERSION="([0-9]+).*/\1/p' "$1/release" 2>/dev/null | grep . || echo 0
}

newest=0
for jdk in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
	[ -n "$jdk" ] || continue
	found="$(release "$jdk")"
	if [ -n "$only" ] && [ "$found" != "$only" ]; then continue; fi
	if [ "$found" -gt "$newest" ]; then
		newest="$found" home="$jdk"
	fi
	# the one that was asked for comes first, if it will do
	if [ "$jdk" = "${JAVA_HOME:-}" ] && [ "$found" -ge "$wanted" ]; then break; fi
done
if [ -n "$only" ] && [ "$newest" = 0 ]; then
	echo "there is no JDK $only here (JAVA_HOME, /usr/lib/jvm): nothing is run on it"
	exit 0
fi
if [ "$newest" -lt "$wanted" ]; then
	echo "A JDK $wanted or newer is missing (with javac, not only java): set JAVA_HOME to one, or install one under /usr/lib/jvm. The newest found is ${newest/#0/none}." >&2
	exit 1
fi
export JAVA_HOME="$home"
if ! command -v mvn >/dev/null 2>&1; then
	echo "Maven is missing (3.8.7 or newer): install Debian's package \"maven\", or put mvn on the PATH." >&2
	exit 1
fi

property() { sed -nE "s|.*<$1>([^<]+)</$1>.*|\1|p" pom.xml | head -1; }

# has GROUP ARTIFACT VERSION: can the jar be fetched? Says yes, no, or unknown: only "no" is an answer of the registry,
# and a network that fails is none. This goal reads no POM, whose parents may be missing.
has() {
	local said
	if said="$(mvn -B -ntp -U org.apache.maven.plugins:maven-dependency-plugin:2.10:copy -f ../../build/probe \
		-Dartifact="$1:$2:$3" -DoutputDirectory=jars 2>&1)"; then
		echo yes
	elif grep -q "Could not find artifact $1:$2:jar:$3" <<<"$said"; then
		echo no
	else
		echo "the registry was asked for $1:$2:$3 and did not answer: $(sed -nE '/^\[ERROR\]/{s|//[^/ ]*@|//***@|g;p;q}' <<<"$said")" >&2
		echo unknown
	fi
}

# A build needs the registry's answer only until the versions change.
registry() {
	local versions answer=whole file=../../build/probe/answer
	versions="$(property polaris.version) $(property quarkus.version)"
	if [ "$(cut -d' ' -f2- "$file" 2>/dev/null)" = "$versions" ]; then
		cut -d' ' -f1 "$file"
		return
	fi
	mkdir -p ../../build/probe
	cat >../../build/probe/pom.xml <<-'POM'
		<project><modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>1</version><packaging>pom</packaging></project>
	POM
	for jar in "org.apache.polaris polaris-runtime-service $(property polaris.version)" \
		"io.quarkus quarkus-junit-component $(property quarkus.version)"; do
		# shellcheck disable=SC2086 # three words
		case "$(has $jar)" in
		no) answer=partial && break ;;
		unknown) answer=unknown && break ;;
		esac
	done
	if [ "$answer" != unknown ]; then echo "$answer $versions" >"$file"; fi
	echo "$answer"
}

profile=()
# outbox, which is all that an older JDK can build, is the same in both
if [ -z "$only" ]; then
	case "${POLARIS_REGISTRY:=$(registry)}" in
	partial)
		echo "the registry has Polaris $(property polaris.version) only in part: outbox and wiring are built, against parts of an older server (profile partial)"
		profile=(-Ppartial)
		;;
	unknown)
		echo "the registry could not be asked, is taken to have Polaris $(property polaris.version) only in part (profile partial), and is asked again next time"
		profile=(-Ppartial)
		;;
	esac
fi
# what Maven itself does with its libraries is no news on each run
export MAVEN_OPTS="${MAVEN_OPTS:-} $([ "$newest" -ge 24 ] && echo "--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow")"
exec mvn -B -ntp "${profile[@]}" "$@"
