"""How good a classifier is, and the report that says so.

    metrics   the figures, by scikit-learn and scipy
    reliability, calibration          whether probabilities mean what they say
    decisions, thresholds, coverage   from probabilities to answers, "unsure" among them
    records   what is shown beside them: epochs, sentences, errors, parts
    plots     figures as SVG files
    console   the same as tables in the terminal
    report    one self-contained HTML page: report_outline has its sections, templates/ what
              stands in them, report_view and its neighbours what that is worked out from

Nothing here knows of torch: figures are made from arrays.
"""
