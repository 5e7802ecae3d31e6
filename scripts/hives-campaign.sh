#!/bin/sh
# The long tests of the hive engine: hostile bytes, the model, the judges on every hive of the corpus, all cuts, fuzzing.
#   scripts/hives-campaign.sh [hostile|model|judges|crash|fuzz|all]
# COLDMEND_CORPUS names the corpus of real hives; without it only the generated hives are used.
# The judges hivexml and regfexport are Debian packages, cargo-fuzz is built from source: scripts/hives-campaign.sh setup
# FUZZ_SECONDS (default 420) is the time of each of the four fuzz targets; their corpus grows in hives/fuzz/corpus.
# docs/testing.md says what each part shows, and has the last results.
set -eu
cd "$(dirname "$0")/.."

run() { cargo test --release -p coldmend-hives --test "$1" -- --nocapture; }

fuzz() {
    (
        cd hives/fuzz
        # libFuzzer needs compiler flags that stable Rust keeps to itself; without a sanitizer nothing else does. The engine
        # has no unsafe code, and is built with checks for overflow and debug assertions.
        export RUSTC_BOOTSTRAP=1
        cargo run --quiet --locked --example seeds -- "${COLDMEND_CORPUS:-none}" corpus
        cargo fuzz build -s none
        for target in open check recover edit; do
            echo "== fuzz $target"
            cargo fuzz run -s none "$target" -- -max_total_time="${FUZZ_SECONDS:-420}" -max_len=80000 -dict=regf.dict \
                -rss_limit_mb=1024 -timeout=20 -print_final_stats=1
        done
    )
}

what=${1:-all}
case $what in
    setup)
        apt-get install -y --no-install-recommends libhivex-bin libregf-utils
        exec cargo install --locked cargo-fuzz
        ;;
    hostile | model | judges | crash | fuzz | all) ;;
    *) echo "usage: $0 [setup|hostile|model|judges|crash|fuzz|all]" >&2; exit 2 ;;
esac
for part in hostile model judges crash fuzz; do
    if [ "$what" = all ] || [ "$what" = "$part" ]; then
        case $part in
            hostile)
                COLDMEND_HOSTILE=${COLDMEND_HOSTILE:-5000000} run hostile
                run memory
                ;;
            model) COLDMEND_MODEL_STEPS=${COLDMEND_MODEL_STEPS:-5000} run model ;;
            judges) COLDMEND_JUDGES=all run judges ;;
            crash) COLDMEND_CRASH_ROUNDS=${COLDMEND_CRASH_ROUNDS:-20} run crash ;;
            fuzz) fuzz ;;
        esac
    fi
done
