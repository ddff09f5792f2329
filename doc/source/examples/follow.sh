# PANKO is the address of the service, ID and SECRET are an application credential.
touch cursor.txt
while status=$(curl -sS --max-time 90 --retry 10 --retry-connrefused -u "$ID:$SECRET" -o page.json -w '%{http_code}' \
        "$PANKO/v2/event_feed?wait=30&cursor=$(cat cursor.txt)"); do
    case $status in
        200) jq -c '.events[]' page.json || exit 1 ;;
        410) echo "Some events were deleted before they were read." >&2 ;;
        *) cat page.json >&2; exit 1 ;;
    esac
    jq -r '.oldest // .cursor' page.json > new.txt && mv new.txt cursor.txt
    jq -e '.oldest or .more or .events != []' page.json > /dev/null || sleep 1
done
exit 1
