# PANKO is the address of the service, ID and SECRET are an application credential.
touch cursor.txt
while curl -sSf --retry 10 --retry-connrefused -u "$ID:$SECRET" -o page.json \
        "$PANKO/v2/event_feed?wait=30&cursor=$(cat cursor.txt)"; do
    jq -c '.events[]' page.json
    jq -r .cursor page.json > new.txt && mv new.txt cursor.txt
    jq -e '.more or .events != []' page.json > /dev/null || sleep 1
done
