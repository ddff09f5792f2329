url="$PANKO/v2/events?limit=100"
while [ -n "$url" ]; do
    curl -sSf -D headers.txt -o page.json -u "$ID:$SECRET" "$url" && jq -c '.[]' page.json || exit 1
    url=$(sed -n 's/^link: <\(.*\)>; rel="next".*/\1/ip' headers.txt)
done
