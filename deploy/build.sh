# Sourced by run and test: building with something to look at meanwhile. Not a command.
# Needs: $root (the checkout).

say() { printf '%s\n' "$*" >&2; }
stop() { say "error: $*"; exit 1; }

# As many compilers at once as processors and memory (1.5 GB each) allow; KEYPORTAL_JOBS decides otherwise.
jobs_that_fit() {
  local processors memory_kb fit
  processors=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fit=$((memory_kb / 1500000))
  echo "${KEYPORTAL_JOBS:-$((fit < 1 ? 1 : fit < processors ? fit : processors))}"
}

# build PRESET TARGET… -- CMAKE-OPTION…
build() {
  local preset=$1 targets=() log=$root/build/$1.log
  shift
  while (($#)) && [[ $1 != -- ]]; do
    targets+=("$1")
    shift
  done
  (($#)) && shift
  mkdir -p "$root/build"
  # Paths are told to the compiler cache relative to the checkout, so that a second clone builds in seconds.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  if ! (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    stop "the build could not be configured; the whole story is in $log"
  fi
  local jobs
  jobs=$(jobs_that_fit)
  # run and test may be called at once: one build of a folder at a time.
  if ! NINJA_STATUS='[%f/%t] ' flock "$log.lock" \
    cmake --build "$root/build/$preset" -j "$jobs" --target "${targets[@]}" 2>&1 | tee -a "$log" | show_building; then
    stop "the build failed; the whole story is in $log"
  fi
}

# [12/345] on one line in a terminal, else a line every now and then; errors as they come.
show_building() {
  local line on_terminal=0 drawn=0
  [[ -t 2 ]] && on_terminal=1
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      local done_now=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
      if ((on_terminal)); then
        printf '\r\033[Kbuilding %d of %d' "$done_now" "$all" >&2
        drawn=1
      elif ((done_now == 1 || done_now == all || done_now % 20 == 0)); then
        say "building $done_now of $all"
      fi
    elif [[ $line == *error:* || $line == FAILED* || $line == *"undefined reference"* ]]; then
      ((drawn)) && say ""
      drawn=0
      say "$line"
    fi
  done
  ((drawn)) && say ""
  return 0
}
