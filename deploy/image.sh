#!/bin/sh
# What an image of one app consists of, from a repository in which the app is built: the app, the libraries that it uses, their
# production dependencies, and the settings that it starts with.
#
#   deploy/image.sh gateway /image
set -eu
app="$1" image="$2"
root="$(cd "$(dirname "$0")/.." && pwd)"
[ -f "$root/apps/$app/dist/main.js" ] || { echo "image: apps/$app is not there, or not built: npx tsc -b apps/$app" >&2; exit 1; }

# npm needs the manifests alone. Of the workspaces it links only those that the app uses, one after the other.
mkdir -p "$image"
cd "$root"
cp package.json package-lock.json .npmrc "$image/"
for manifest in proto/package.json tools/package.json apps/*/package.json libs/*/package.json; do
  [ -f "$manifest" ] || continue
  mkdir -p "$image/$(dirname "$manifest")"
  cp "$manifest" "$image/$manifest"
done
cd "$image"
npm ci --omit=dev --workspace="apps/$app" --ignore-scripts --no-audit --no-fund --prefer-offline

# In place of its link each workspace itself, and of it what runs.
for link in node_modules/@holdfast/*; do
  workspace="$(readlink "$link")"
  workspace="${workspace#../../}"
  rm "$link"
  mkdir "$link"
  tar -C "$root/$workspace" --exclude=./src --exclude=./node_modules --exclude='*.spec.*' --exclude='tsconfig*.json' -cf - . | tar -C "$link" -xf -
  # Dependencies that npm could not share with the others.
  if [ -d "$workspace/node_modules" ]; then cp -R "$workspace/node_modules" "$link/"; fi
done
rm -rf apps libs proto tools package.json package-lock.json .npmrc
cp -R "$root/config" config

# @nestjs/swagger may use the compiler where apps are built, and nowhere else; npm brings it because the build has it.
rm -rf node_modules/typescript

# Half of what npm brings is for those who write programs.
find node_modules -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' -o -name '*.tsbuildinfo' \) -delete

echo "import './node_modules/@holdfast/$app/dist/main.js';" >main.mjs
cat >health.mjs <<'HEALTH'
// For `HEALTHCHECK`: the image has no curl.
const answer = await fetch(`http://127.0.0.1:${process.env.ADMIN_PORT}/readyz`).catch(() => undefined);
process.exit(answer?.ok ? 0 : 1);
HEALTH
