"""Sentence patterns of the English chronicle: {slots} take a word, [a|b] takes an alternative."""


def _list(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(";") if word.strip())


CLOSING = "Write the next hundred entries of this chronicle."

PATTERNS = (
    "{when}, {person} [bought|sold|ordered|delivered|weighed out] {load} and {load} [at the market in|on the quay at|outside the grain store in] {town}.",
    "{person} spent {span} [repairing|repainting|measuring|restoring|inspecting] {fixture} in {town}, [mostly alone|with two apprentices|in all weathers|without a single drawing|for half the usual fee].",
    "In {year} the [council|parish|guild|assembly] of {town} paid {person} {sum} to [repair|repaint|clean|guard|insure] {fixture}.",
    "When {river} [overflowed|froze|burst its banks|ran dry] in {month}, {num} [travellers|neighbours|children|boatmen|strangers] were [fed|sheltered|counted|lodged] at {building} in {town}.",
    "{person} [kept|treasured|never parted with|restored] {thing} that had [belonged to|been made by|been a gift from|come from the estate of] {person}.",
    "There is {thing} [in a glass case|under the stairs|beside the front door|in a locked cupboard] at {building} in {town}, and [nobody remembers|few people know|visitors often ask|the children like to guess] who left it there.",
    "{person} and {person} [argued|corresponded|quarrelled|talked] about {topic} for {span}, [to the delight of their neighbours|without raising their voices|until neither could recall how it began|and then wrote a book together].",
    '"{saying}," [said|remarked|muttered|announced] {person} when {mishap}.',
    "At {clock} the [ferry|mail coach|night train|evening bus] from {town} arrived with {num} passengers, {load} and {animal}.",
    "{person} taught the [children|apprentices|sailors|farmhands|recruits] of {town} to [read maps|tie knots|play the {instrument}|keep accounts|prune fruit trees|swim|mend nets|write a clear hand], [free of charge|on winter evenings|for a basket of eggs a month|long after retirement].",
    "Nobody in {town} could explain why {oddity}, though {person} [suspected|blamed|wrote a paper about|had dreamt of] [the drains|the new signal box|a draught|the moon|last year's flood].",
    "For {span} the only {shop} in {town} was run by {person}, who also [played the {instrument} at weddings|drew maps of the coast|collected books on {topic}|kept the keys of {building}|forecast the weather].",
    "[If the weather holds|If the wind turns|Unless it rains|Should the road stay dry|If the money arrives], {person} will [open {building}|start work on {fixture}|sow the upper fields|leave for {town}|send for the surveyor] [before|shortly after|just in time for] {feast}.",
    "{town} lies {distance} from {town}, but [by the old road|in winter|with a loaded cart|against the wind|with a mule] the journey took {person} [nearly twice as long|a full day|until nightfall|longer than any letter].",
    "Of the {num} [letters|drawings|invoices|photographs|recipes] found at {building}, {few} were [signed by|addressed to|copied by|returned to] {person} and the rest [were illegible|concerned {topic}|had been eaten by mice|went to a collector|came from {town}].",
    "{when}, while {weather_then}, {person} saw {animal} {place}.",
    "The [recipe|contract|experiment|last act of the play] called for {load}, {thing} and [a great deal of patience|nothing else|a steady hand|some string|three witnesses].",
    "{person} would not sell {thing}, [not even for {sum}|whatever the dealer from {town} offered|since it had survived the flood of {year}|having promised it to {person}].",
    "What began as a [quarrel|conversation|lecture|bet] about {topic} {place} ended with {person} [buying|losing|painting|giving away] {thing}.",
    "Every {weekday} [before sunrise|at noon|after supper|toward evening], {person} [walked|cycled|rowed|drove a cart] from {town} to {town} [with the post|to feed the hens|for choir practice|to wind the clock|to read to an old friend].",
    "{person} [planted|grew|tended|harvested] {plant} and {plant} {plot}, where [nothing had grown before|the soil was thin|the wall kept off the wind|the old stables had stood|the sun came late].",
    "Neither {person} nor {person} [had heard of|approved of|believed in|wanted to pay for] the [new bridge|steam ferry|telephone line|bathing beach|reading club] at {town}.",
    "How {person} [reached|left|found the way to|crossed] {town} in {year} without [a coat|a compass|being noticed|a word of the dialect|paying a toll] is [still debated|told in three versions|a favourite story|not recorded] at {building}.",
    "Supper at {building} was {food}, followed by {food}, and {person} [asked for more|paid for everyone|sang afterwards|slept through the speeches|left before the coffee].",
    "The [second|fourth|last|longest] chapter of {name}'s [memoirs|travel diary|almanac|handbook] deals with {topic}, [and nothing else|in great detail|though briefly|with {num} woodcuts|in the form of letters].",
    "{month} was [hard to forget|unlike any other|not what the almanac had promised|full of surprises] that year: {weather}, and {result}.",
    "{person} [borrowed|rented|took away|carried off] {thing} [on|one] {weekday} and [returned it|sent it back|gave it back] {later}, [cleaner than before|with a note of thanks|without a word|in two pieces|wrapped in newspaper].",
    "At the [auction|fair|exhibition|jumble sale] in {town}, {thing} [fetched|was sold for|was valued at] {sum}, [twice|half|rather more than|almost exactly] what {person} had [expected|hoped|feared|been told].",
    "They [still speak of|have a song about|put up a plaque for|named a lane after] {person} in {town}, [mainly because of|all on account of|thanks to] {thing}.",
    "The {trade} wanted {load}, the {trade} wanted {load}, and in the end [both made do with|they shared|somebody delivered|the cart brought] {load}.",
    "Long before {building} in {town} [was rebuilt|had electric light|changed hands|was open to visitors], {person} kept {animal} [there|in the cellar|in the attic|in the courtyard].",
    "{person} [bet|promised|assured|warned] {person} that {fixture} would [be finished|be paid for|need repairs|be gone] [by|before|long before] {feast}, and [was right|was wrong|won a hat|had to apologise|lost {sum}].",
    "[Rumour had it|The newspaper claimed|It was said {place}|The children swore] that {person} had [hidden|buried|lost|found] {thing} [somewhere near|on the way to|in a barn outside] {town}.",
    "To [save coal|please the inspectors|avoid the toll|beat the frost|pay off the loan], the {trade} and the {trade} of {town} [shared a workshop|worked by moonlight|sold {plant} by the roadside|took turns at the forge|hired {person}] for {span}.",
    "It was {person}, and not {person}, who first [described|discovered|mapped|photographed] [the springs above|the caves below|the old mine near|the cliffs at|the marshes around] {town} in {year}.",
    "[Half|Most|A third|Almost all] of the {plant} from {town} went to {building} in {town}, [packed in straw|by barge|at {sum} a crate|under a wet cloth|on the early train].",
    "{person} could [play the {instrument}|whistle|recite the timetable|add long columns|imitate {animal}] [better than anyone|surprisingly well|only with closed eyes|before breakfast|for hours], but [never learned to|refused to|was forbidden to|saw no reason to] [dance|swim|drive|read music|whisper].",
    "The [path|lane|stairway|tunnel] from {building} to {river} is {length} long, [paved with slate|lined with {plant}|repaired in {year}|lit by {few} lamps], and [popular with|well known to|avoided by|swept by] the {trade} of {town}.",
    "After {span} at sea, {person} came home to {town} with {thing}, {few} new words and [a taste for|a recipe for|strong views on|a horror of] {food}.",
    "According to {person}, {animal} [lived|was seen|slept|caused a good deal of trouble] {place} [every {season}|all through {month}|in the year of the great storm|from {feast} onward].",
    "On the day of {feast}, {num} people [crowded into|queued outside|picnicked behind|gathered at] {building} in {town} to [hear|meet|thank|see] {person}.",
    "{person} weighed {num} pounds of {dry} [twice|by candlelight|on the new scales|with great care], [wrote down the figure|shook the scoop|sighed|opened the ledger] and [started again|said nothing|closed early|sent for {person}].",
    "From the [tower|roof|top window|balcony] of {building} you can see {town}, {river} and, [on clear days|with a good glass|in {month}|after rain], the [chimneys|orchards|lights|sails] of {town}.",
    "The [print|poster|painting|drawing] over {name}'s desk showed {picture}, [slightly crooked|in fading colours|framed in oak|dated {year}|a gift from {town}].",
    "[Hardly|Scarcely|Barely] had {person} [lit the stove|opened the shutters|sat down|taken off the wet boots] when {mishap}.",
    "{town} has [fewer inhabitants|more clocks|better bread|narrower streets|louder bells] than {town}, [as the {trade} likes to point out|a fact that {person} put in a pamphlet|but nobody would move|and a longer history].",
    "Why would {person} [walk|travel|come] {miles} for {food}, [asked the {trade}|people in {town} wondered|wrote one reader], with {food} waiting at home?",
    "The exhibition on {topic} [opens|reopens|closes|moves to {town}] {when_next}, and {person} has lent {thing} and {thing}.",
    "{person} [dropped|forgot|left behind|unpacked] {thing} {place}; [by evening|within the hour|two days later|before anyone noticed], {person} had [found a use for it|brought it back|reported it|sold it twice].",
    "[Quietly|Against all advice|With borrowed money|At the third attempt|Out of sheer boredom], {person} turned {building} into a {venue} and [sold {food} there|hired {num} people|never looked back|painted it green|kept {animal} as a mascot].",
    "The {season} of {year} is remembered {near_town} for {weather_noun}, for {food}, and for the [speech|recital|wedding|farewell] of {person}.",
    "Let it be noted that {person} [finished|surveyed|paid for|abandoned] {fixture} at {town} on {date}, in the presence of {person} and {few} others.",
    "A [letter|small box|parcel|fat envelope] for {person} came by way of {town}: inside were {num} [stamps|seeds|buttons|coins|feathers] and [a pressed flower|a drawing of {building}|no message|a receipt for {load}|a request for {food}].",
    "{given} {surname}, then {num}, [won|lost|shared|refused] the prize for [the best {plant}|mental arithmetic|the straightest furrow|an essay on {topic}|playing the {instrument}] at {town} {when_low}.",
    "The [cheapest|quickest|safest|prettiest] way to move {load} was [by barge along|by raft down|by mule beside|by sledge across] {river}, and the {trade} [knew every bend|charged {sum}|always sang on the way|did it every {season}].",
    "[Ask|Write to|Look for] {person} {place} if you need {thing}; [the price is fair|payment in {plant} is welcome|bring your own bag|knock twice|do not mention {topic}].",
    "The [roof|foundation|third floor|north wall] of {building} was [finished|measured|struck by lightning|covered in scaffolding] on {date}, and {result}.",
    "{few_up} [sisters|brothers|cousins|friends|students] from {town} rented {building} for {span} and [studied|wrote about|lectured on|argued over] {topic}.",
    "[Instead of|Rather than] selling {load} to the {trade}, {person} [gave everything away|stored it all|traded the lot for {thing}|shipped the lot to {town}] {when_low}.",
    "{follower} [followed|amused|worried|guided] {person} all the way [from {building} to {building}|to {town}|along {river}|home from {feast}].",
    "[Before the railway|In those years|Under the old charter|Until {year}], anyone who [crossed|fished in|bathed in|drew water from] {river} owed the {trade} of {town} {load}.",
    "{person} described {town} as [a place|a town|a harbour|a village] where {weather_habit}, [the coffee is weak|nobody hurries|every roof has a story|the trains are late|the dogs know the timetable] and {person} [owns everything|knows everyone|repairs the pianos|never pays].",
)

# Two clauses of a line are joined by a comma; a line of any number of words from three on can be made of them.
CLAUSES = {
    3: _list("""the rain stopped; the lamps burned; supper was late; nobody came back; the cat slept; the gulls returned;
        fires were lit; snow fell early; the gate creaked; the mail came"""),
    4: _list("""the old dog slept; the bread was good; the last boat left; all windows were dark; the cellar stayed dry;
        somebody sang next door; the bells rang twice; the wind had dropped; the roads were empty; the kettle was on"""),
    5: _list("""the river rose all night; the children were sent home; a letter lay on top; two hens went missing again;
        the new clock ran fast; the candles were nearly gone; the well was clear again; the cart needed a wheel;
        the moon came up late; the nets were hung out"""),
}
NOTES = ("", "Rain.", "Light rain.")
