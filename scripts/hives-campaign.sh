#!/bin/sh
# The long tests of the hive engine: hostile bytes, the model, the judges on every hive of the corpus, all cuts.
#   scripts/hives-campaign.sh [hostile|model|judges|crash|all]
# COLDMEND_CORPUS names the corpus of real hives; without it only the generated hives are used.
# The judges hivexml and regfexport are Debian packages: scripts/hives-campaign.sh setup
set -eu
cd "$(dirname "$0")/.."

run() { cargo test --release -p coldmend-hives --test "$1" -- --nocapture; }

what=${1:-all}
case $what in
    setup) exec apt-get install -y --no-install-recommends libhivex-bin libregf-utils ;;
    hostile | model | judges | crash | all) ;;
    *) echo "usage: $0 [setup|hostile|model|judges|crash|all]" >&2; exit 2 ;;
esac
for part in hostile model judges crash; do
    if [ "$what" = all ] || [ "$what" = "$part" ]; then
        case $part in
            hostile) COLDMEND_HOSTILE=${COLDMEND_HOSTILE:-5000000} run hostile ;;
            model) COLDMEND_MODEL_STEPS=${COLDMEND_MODEL_STEPS:-5000} run model ;;
            judges) COLDMEND_JUDGES=all run judges ;;
            crash) run crash ;;
        esac
    fi
done
