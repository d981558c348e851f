"""What a text classifier without fine-tuning gives: the bar that LoRA has to clear.

protocol  what every baseline offers, and how one becomes a `CandidateResult`
majority  the shares of the classes
logistic  logistic regression on features, its strength chosen on validation
tfidf     on words and pairs of words
frozen    on the pooled states of the encoder as it came
"""
