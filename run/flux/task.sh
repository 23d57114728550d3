# Starts one task of a job: sh task.sh MARK TASKS COMMAND..., with the
# number of tasks on this node.
#
# The first task of a node runs what prepares it, the last one what cleans up and
# sends what is to be kept. Everything of a node is in two folders of the job's
# temporary directory: work, where commands run, and ensemble, beside this script:
#
#     before.sh after.sh   the steps, each "step NAME NUMBER COMMAND..."
#     collect.sh           what to keep, each "collect PATTERN"
#     profile.so.gz        the MPI profiling library
#     library              or where the image has it
#
# Behind the task's output comes a line with the mark, and then what the driver reads:
#
#     begin T / end T           of this task, in seconds since 1970
#     used U S U S              user and system time before and after it
#     node RANK                 where this is the last task: the node's first one
#     step NAME NUMBER CODE T T
#     file KIND NAME            in base 64, as is what follows up to a dot
mark=$1 tasks=$2
shift 2
top=$FLUX_JOB_TMPDIR here=$FLUX_JOB_TMPDIR/ensemble rank=$FLUX_TASK_RANK local=$FLUX_TASK_LOCAL_ID
work=$top/work

now() { date +%s.%N; }

step() {
	name=$1 number=$2
	shift 2
	since=$(now)
	"$@" >>"$here/steps.log" 2>&1
	result=$?
	echo "step $name $number $result $since $(now)" >>"$here/said"
	return $result
}

keep() { # KIND NAME PATH
	printf 'file %s %s\n' "$1" "$(printf %s "$2" | base64 -w 0)"
	base64 -w 4000 "$3"
	echo .
}

collect() {
	for found in $1; do
		[ -f "$found" ] && [ ! -L "$found" ] && keep files "$found" "$found"
	done
}

# A request to end is for the command: what it leaves is sent all the same.
trap : HUP INT TERM ALRM USR1 USR2

if mkdir "$here/first" 2>/dev/null; then
	for tool in base64 date gzip sleep; do
		command -v $tool >/dev/null || {
			echo "$(uname -n) has no $tool, which jobs need that come with files or steps, or leave some" >&2
			mkdir -p "$here/unready"
		}
	done
	[ ! -d "$here/unready" ] && mkdir -p "$work" "$here/profile" && cd "$work" && (
		[ ! -e "$here/profile.so.gz" ] || gzip -dc "$here/profile.so.gz" >"$here/profile.so" || exit
		[ ! -e "$here/library" ] || [ -r "$(cat "$here/library")" ] || {
			echo "the image has no MPI profiling library at $(cat "$here/library")" >&2
			exit 1
		}
		[ ! -e "$here/before.sh" ] || . "$here/before.sh"
	) && mkdir "$here/ready" || mkdir -p "$here/unready"
fi
[ "$local" != 0 ] || echo "$rank" >"$here/lead"
while [ ! -d "$here/ready" ] && [ ! -d "$here/unready" ]; do
	sleep 0.02
done
code=1 begin= end=
if cd "$work" && [ -d "$here/ready" ]; then
	begin=$(now)
	times >"$here/times.$local"
	library=
	[ ! -e "$here/profile.so" ] || library=$here/profile.so
	[ ! -e "$here/library" ] || read -r library <"$here/library"
	if [ -n "$library" ]; then
		env LD_PRELOAD="$library${LD_PRELOAD:+:$LD_PRELOAD}" ENSEMBLE_MPI_PROFILE="$here/profile" "$@"
	else
		"$@"
	fi
	code=$?
	times >>"$here/times.$local"
	end=$(now)
fi

printf '\n@%s\n' "$mark"
[ -z "$begin" ] || {
	read -r _ && read -r before && read -r _ && read -r after
	printf 'begin %s\nend %s\nused %s %s\n' "$begin" "$end" "$before" "$after"
} <"$here/times.$local"
mkdir "$here/over.$local"
set -- "$here"/over.*
[ $# = "$tasks" ] && mkdir "$here/last" 2>/dev/null || exit $code

echo "node $(cat "$here/lead")"
[ ! -e "$here/after.sh" ] || . "$here/after.sh"
[ ! -e "$here/said" ] || cat "$here/said"
[ ! -e "$here/steps.log" ] || keep steps steps.log "$here/steps.log"
IFS=
[ ! -e "$here/collect.sh" ] || . "$here/collect.sh"
cd "$here/profile" && for found in *; do
	[ -f "$found" ] && keep profile "$found" "$found"
done
exit $code
